// The pages of categories, tags and authors: all of a kind, and the posts of one.
import { notFound } from "next/navigation";
import { cache } from "react";
import { initial } from "@/lib/format";
import { listedLabel, listLabels, listPosts, orNothing, unlistedLabel, type Kind } from "@/lib/gateway";
import { decoded, labelPath } from "@/lib/paths";
import { isAllowed } from "@/lib/pictures";
import { one, type Search } from "@/lib/query";
import { pageMetadata } from "@/lib/seo";
import type { Label } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./Labels.module.css";
import { Empty, Grid, Heading, howMany, PastTheEnd, Pager } from "./Lists";

const PAGE = 24;
const CHOICE = { categories: "category", tags: "tag", authors: "author" } as const;

export interface LabelParams {
  params: Promise<{ name: string }>;
  searchParams: Search;
}

export const labelsMetadata = (kind: Kind) =>
  pageMetadata({ title: texts.blog.labels[kind].title, description: texts.blog.labels[kind].description, path: `/${kind}` });

export async function LabelsPage({ kind }: { kind: Kind }) {
  const words = texts.blog.labels[kind];
  const labels = await listLabels(kind);
  return (
    <>
      <Heading title={words.title}>
        <p>{words.description}</p>
      </Heading>
      {labels.length === 0 && <Empty title={words.empty} />}
      <ul className={kind === "tags" ? styles.tags : styles.labels}>
        {labels.map((label) => (
          <li key={String(label.id)}>
            <Entry kind={kind} label={label} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Entry({ kind, label }: { kind: Kind; label: Label }) {
  const count = howMany(label.posts || null); // a count of just before the first story says nothing
  const said = saidOf(label);
  return (
    <a className={styles.entry} href={labelPath(kind, label)}>
      {kind === "authors" && <Avatar author={label} />}
      <span className={styles.name} dir="auto">
        {label.name}
      </span>
      {said && kind !== "tags" && (
        <span className={styles.said} dir="auto">
          {said}
        </span>
      )}
      {count && <span className={styles.count}>{count}</span>}
    </a>
  );
}

/** What the blog says of a category or tag, or of an author. */
const saidOf = (label: Label) => label.description ?? label.bio ?? null;

function Avatar({ author }: { author: Label }) {
  if (author.avatar_url && isAllowed(author.avatar_url))
    return <img className={styles.avatar} src={author.avatar_url} alt="" width="64" height="64" loading="lazy" />;
  return (
    <span className={styles.avatar} aria-hidden="true">
      {initial(author.name)}
    </span>
  );
}

/** The label of this address. A blog may name categories with its posts alone: then the name is all that is known. */
const labelOf = cache(async (kind: Kind, name: string, after: string | undefined) => {
  const listed = await listedLabel(kind, name);
  const [label, page] = await Promise.all([
    listed ?? unlistedLabel(kind, name),
    orNothing(listPosts({ limit: PAGE, after, [CHOICE[kind]]: listed?.slug ?? listed?.name ?? name }, listed !== null)),
  ]);
  if (page === null || (label === null && page.data.length === 0 && after === undefined)) notFound();
  return { label: label ?? { id: name, name, slug: null, posts: null }, page, after };
});

const foundFor = async (kind: Kind, { params, searchParams }: LabelParams) =>
  labelOf(kind, decoded((await params).name), one((await searchParams).after));

/** How many posts there are: what this page shows says more than a count of some minutes ago. */
function countOf({ label, page, after }: Awaited<ReturnType<typeof labelOf>>): string | null {
  const isAll = after === undefined && page.meta.pagination.next === null;
  return howMany(isAll ? page.data.length : label.posts);
}

export async function labelMetadata(kind: Kind, asked: LabelParams) {
  const { label, after } = await foundFor(kind, asked);
  const path = labelPath(kind, label);
  return pageMetadata({
    title: label.name,
    description: saidOf(label) ?? `${texts.blog.labels[kind].one}: ${label.name}`,
    path: after === undefined ? path : `${path}?after=${encodeURIComponent(after)}`,
  });
}

export async function LabelPage({ kind, asked }: { kind: Kind; asked: LabelParams }) {
  const found = await foundFor(kind, asked);
  const { label, page, after } = found;
  const said = saidOf(label);
  const count = countOf(found);
  if (page.data.length === 0 && after !== undefined) return <PastTheEnd title={label.name} path={labelPath(kind, label)} />;
  return (
    <>
      <Heading title={label.name} kicker={<a href={`/${kind}`}>{texts.blog.labels[kind].title}</a>}>
        {said && <p dir="auto">{said}</p>}
        {count && page.data.length > 0 && <p className={styles.total}>{count}</p>}
      </Heading>
      {page.data.length === 0 ? <Empty title={texts.blog.labels.noPosts} /> : <Grid posts={page.data} under={kind} />}
      <Pager page={page} path={labelPath(kind, label)} isFirst={after === undefined} />
    </>
  );
}
