import { notFound } from "next/navigation";
import { Day } from "@/components/Day";
import { Empty, Heading, PastTheEnd, Pager } from "@/components/Lists";
import { isShown, Picture } from "@/components/Picture";
import { dateOf, month, titleOf } from "@/lib/format";
import { listPosts, orNothing } from "@/lib/gateway";
import { postPath } from "@/lib/paths";
import { one, type Search } from "@/lib/query";
import { pageMetadata } from "@/lib/seo";
import type { PostSummary } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./archive.module.css";

const PAGE = 30;

export async function generateMetadata({ searchParams }: { searchParams: Search }) {
  const after = one((await searchParams).after);
  const path = after === undefined ? "/posts" : `/posts?after=${encodeURIComponent(after)}`;
  return pageMetadata({ title: texts.blog.archive.title, description: texts.blog.archive.description, path });
}

export default async function Archive({ searchParams }: { searchParams: Search }) {
  const after = one((await searchParams).after);
  const page = await orNothing(listPosts({ limit: PAGE, after }));
  if (page === null) notFound(); // `after` is no place in the list
  if (page.data.length === 0 && after !== undefined) return <PastTheEnd title={texts.blog.archive.title} path="/posts" />;
  return (
    <>
      <Heading title={texts.blog.archive.title}>
        <p>{texts.blog.archive.description}</p>
      </Heading>
      {page.data.length === 0 && <Empty title={texts.blog.home.empty} />}
      {byMonth(page.data).map(([name, posts]) => (
        <section key={name} className={styles.month}>
          <h2 className={styles.name}>{name}</h2>
          <ol className={styles.list}>
            {posts.map((post) => (
              <Row key={String(post.id)} post={post} />
            ))}
          </ol>
        </section>
      ))}
      <Pager page={page} path="/posts" isFirst={after === undefined} />
    </>
  );
}

function Row({ post }: { post: PostSummary }) {
  const date = dateOf(post);
  return (
    <li className={styles.row}>
      <div className={styles.thumb}>
        {isShown(post.picture) && <Picture picture={post.picture} sizes="6rem" alt="" crop="square" />}
      </div>
      <div className={styles.words}>
        <h3 className={styles.title} dir="auto">
          <a href={postPath(post.slug)}>{titleOf(post, texts.blog.untitled)}</a>
        </h3>
        <p className={styles.line}>
          {date && <Day iso={date} short />}
          {post.category && <span><bdi>{post.category.name}</bdi></span>}
          {post.author && <span><bdi>{post.author.name}</bdi></span>}
        </p>
      </div>
    </li>
  );
}

function byMonth(posts: PostSummary[]): [string, PostSummary[]][] {
  const months = new Map<string, PostSummary[]>();
  for (const post of posts) {
    const date = dateOf(post);
    const name = date ? month(date) : texts.blog.archive.noDate;
    months.set(name, [...(months.get(name) ?? []), post]);
  }
  return [...months];
}
