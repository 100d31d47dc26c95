import { Day } from "@/components/Day";
import { JsonLd } from "@/components/JsonLd";
import { Grid } from "@/components/Lists";
import { isShown, Picture } from "@/components/Picture";
import { dateOf, minutesToRead, titleOf } from "@/lib/format";
import { aboutPicture, around, beside, listPosts } from "@/lib/gateway";
import { htmlOf } from "@/lib/markdown";
import { decoded, labelPath, picturePath, postPath } from "@/lib/paths";
import { postOf, type Params } from "@/lib/post-page";
import { articleData, postMetadata } from "@/lib/seo";
import type { AboutPicture, Around, Page, Post, PostSummary } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./post.module.css";
import prose from "./prose.module.css";

const RELATED = 3;
const LONG_TITLE = 90; // letters of a title that is set smaller
const words = texts.blog.post;

export const generateMetadata = async ({ params }: { params: Params }) => postMetadata(await postOf(params));

export default async function PostPage({ params }: { params: Params }) {
  const slug = decoded((await params).slug);
  const [post, about, neighbours] = await Promise.all([
    postOf(params),
    beside(aboutPicture(slug), null),
    beside(around(slug), { newer: null, older: null }),
  ]);
  const related = await relatedTo(post);
  const text = post.content?.trim() ?? "";
  return (
    <>
      <article className={styles.post}>
        <Head post={post} text={text} />
        <Figure post={post} about={about} />
        <div className={prose.prose} dangerouslySetInnerHTML={{ __html: htmlOf(text) }} />
        {text === "" && <p className={styles.noText}>{words.noText}</p>}
        <Tags post={post} />
      </article>
      <Beside {...neighbours} />
      {related.length > 0 && (
        <section className={styles.related} aria-labelledby="related">
          <h2 id="related" dir="auto">
            {post.category ? words.more(post.category.name) : words.moreStories}
          </h2>
          <Grid posts={related} level="h3" />
        </section>
      )}
      <JsonLd data={await articleData(post, about)} />
    </>
  );
}

async function relatedTo(post: Post): Promise<PostSummary[]> {
  const category = post.category ? (post.category.slug ?? post.category.name) : undefined;
  const page = await beside<Page | null>(listPosts({ limit: RELATED + 1, category }), null);
  return (page?.data ?? []).filter((each) => each.id !== post.id).slice(0, RELATED);
}

function Head({ post, text }: { post: Post; text: string }) {
  const date = dateOf(post);
  const title = titleOf(post, texts.blog.untitled);
  const standfirst = post.excerpt?.trim() ?? "";
  return (
    <header className={styles.head}>
      {post.category && (
        <p className={styles.kicker}>
          <a href={labelPath("categories", post.category)} dir="auto">
            {post.category.name}
          </a>
        </p>
      )}
      <h1 className={title.length > LONG_TITLE ? styles.longTitle : undefined} dir="auto">
        {title}
      </h1>
      {standfirst !== "" && standfirst !== text && (
        <p className={styles.standfirst} dir="auto">
          {standfirst}
        </p>
      )}
      <p className={styles.byline}>
        {post.author && (
          <a href={labelPath("authors", post.author)} rel="author">
            <bdi>{post.author.name}</bdi>
          </a>
        )}
        {date && <Day iso={date} />}
        {text !== "" && <span>{texts.blog.minutes(minutesToRead(text))}</span>}
      </p>
    </header>
  );
}

const HERO_SIZES = "(max-width: 66rem) 92vw, 60rem";

function Figure({ post, about }: { post: Post; about: AboutPicture | null }) {
  if (!isShown(post.picture)) return null;
  return (
    <figure className={styles.figure}>
      <Picture picture={post.picture} sizes={HERO_SIZES} first />
      {about && (
        <figcaption>
          {words.drawn} <a href={picturePath(post.slug)}>{words.about}</a>
        </figcaption>
      )}
    </figure>
  );
}

function Tags({ post }: { post: Post }) {
  if (!post.tags?.length) return null;
  return (
    <footer className={styles.tags}>
      <h2 className="visually-hidden">{words.tags}</h2>
      <ul>
        {post.tags.map((tag) => (
          <li key={tag.name}>
            <a href={labelPath("tags", tag)} rel="tag" dir="auto">
              {tag.name}
            </a>
          </li>
        ))}
      </ul>
    </footer>
  );
}

function Beside({ newer, older }: Around) {
  if (newer === null && older === null) return null;
  return (
    <nav className={styles.beside} aria-label={words.around}>
      {older && <Neighbour post={older} where={words.older} rel="prev" />}
      {newer && <Neighbour post={newer} where={words.newer} rel="next" />}
    </nav>
  );
}

function Neighbour({ post, where, rel }: { post: PostSummary; where: string; rel: string }) {
  return (
    <a href={postPath(post.slug)} rel={rel}>
      <span>{where}</span>
      <strong dir="auto">{titleOf(post, texts.blog.untitled)}</strong>
    </a>
  );
}
