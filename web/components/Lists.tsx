// What lists of posts and of names have in common: heading, grid, the way to the next page, and what an empty one says.
import { number } from "@/lib/format";
import type { Kind } from "@/lib/gateway";
import type { Page, PostSummary } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./Lists.module.css";
import { PostCard } from "./PostCard";

interface HeadingProps {
  title: string;
  kicker?: React.ReactNode;
  children?: React.ReactNode;
}

export function Heading({ title, kicker, children }: HeadingProps) {
  return (
    <header className={styles.heading}>
      {kicker && <p className={styles.kicker}>{kicker}</p>}
      <h1 dir="auto">{title}</h1>
      {children}
    </header>
  );
}

interface GridProps {
  posts: PostSummary[];
  level?: "h2" | "h3";
  under?: Kind;
}

export function Grid({ posts, level, under }: GridProps) {
  return (
    <ul className={`${styles.grid} ${posts.length === 3 ? styles.three : ""}`}>
      {posts.map((post, place) => (
        <li key={String(post.id)}>
          <PostCard post={post} level={level ?? "h2"} first={place === 0 && level === undefined} under={under} />
        </li>
      ))}
    </ul>
  );
}

interface PagerProps {
  page: Page;
  path: string; // of the first page, with its query
  isFirst: boolean;
}

export function Pager({ page, path, isFirst }: PagerProps) {
  const { next } = page.meta.pagination;
  if (isFirst && next === null) return null;
  const older = next === null ? null : `${path}${path.includes("?") ? "&" : "?"}after=${encodeURIComponent(next)}`;
  return (
    <nav className={styles.pager} aria-label={texts.blog.pager.label}>
      {isFirst ? <span /> : <a href={path}>{texts.blog.pager.newest}</a>}
      {older && (
        <a href={older} rel="next">
          {texts.blog.pager.older}
        </a>
      )}
    </nav>
  );
}

export function Empty({ title, children }: { title: string; children?: React.ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.emptyTitle}>{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** What follows the last page: a page that is full has one after it, whether there are more posts or not. */
export function PastTheEnd({ title, path }: { title: string; path: string }) {
  return (
    <>
      <Heading title={title} />
      <Empty title={texts.blog.pager.end}>
        <a href={path}>{texts.blog.pager.newest}</a>
      </Empty>
    </>
  );
}

export function howMany(posts: number | null | undefined): string | null {
  if (posts === null || posts === undefined) return null;
  return posts === 1 ? texts.blog.oneStory : texts.blog.stories(number(posts));
}
