// A post in a list. The whole card is the link of its title; category and author are links of their own.
import { dateOf, titleOf } from "@/lib/format";
import { labelPath, postPath } from "@/lib/paths";
import type { PostSummary } from "@/lib/types";
import { texts } from "@/texts";
import { Day } from "./Day";
import { isShown, Picture } from "./Picture";
import styles from "./PostCard.module.css";

const CARD_SIZES = "(max-width: 40rem) 92vw, (max-width: 64rem) 45vw, 24rem";
const LEAD_SIZES = "(max-width: 56rem) 92vw, 44rem";

interface Props {
  post: PostSummary;
  level?: "h2" | "h3";
  first?: boolean; // its picture is seen at once
  under?: "categories" | "tags" | "authors" | undefined; // the kind of page: what its heading says, no card repeats
}

export function PostCard({ post, level: Title = "h2", first, under }: Props) {
  const picture = isShown(post.picture) ? post.picture : null;
  return (
    <article className={`${styles.card} ${picture ? "" : styles.bare}`}>
      {picture && <Picture picture={picture} sizes={CARD_SIZES} alt="" crop="card" first={first ?? false} />}
      {under !== "categories" && <Kicker post={post} />}
      <Title className={styles.title} dir="auto">
        <a className={styles.link} href={postPath(post.slug)}>
          {titleOf(post, texts.blog.untitled)}
        </a>
      </Title>
      {post.excerpt && (
        <p className={styles.excerpt} dir="auto">
          {post.excerpt}
        </p>
      )}
      <Byline post={post} />
    </article>
  );
}

/** The newest story, large. */
export function Lead({ post }: { post: PostSummary }) {
  const picture = isShown(post.picture) ? post.picture : null;
  return (
    <article className={`${styles.lead} ${picture ? "" : styles.leadBare}`}>
      {picture && <Picture picture={picture} sizes={LEAD_SIZES} alt="" crop="wide" first />}
      <div className={styles.leadText}>
        <Kicker post={post} />
        <h2 className={styles.leadTitle} dir="auto">
          <a className={styles.link} href={postPath(post.slug)}>
            {titleOf(post, texts.blog.untitled)}
          </a>
        </h2>
        {post.excerpt && (
          <p className={styles.leadExcerpt} dir="auto">
            {post.excerpt}
          </p>
        )}
        <Byline post={post} />
      </div>
    </article>
  );
}

function Kicker({ post }: { post: PostSummary }) {
  if (!post.category) return null;
  return (
    <p className={styles.kicker}>
      <a href={labelPath("categories", post.category)} dir="auto">
        {post.category.name}
      </a>
    </p>
  );
}

function Byline({ post }: { post: PostSummary }) {
  const date = dateOf(post);
  return (
    <p className={styles.byline}>
      {post.author && (
        <a href={labelPath("authors", post.author)}>
          <bdi>{post.author.name}</bdi>
        </a>
      )}
      {date && <Day iso={date} />}
    </p>
  );
}
