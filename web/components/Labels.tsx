// The pages of categories, tags and authors: all of a kind, and the posts of one.
import { notFound } from "next/navigation";
import { initial } from "@/lib/format";
import { listLabels, listPosts, orNothing, readLabel, type Kind } from "@/lib/gateway";
import { decoded, labelPath } from "@/lib/paths";
import { isAllowed } from "@/lib/pictures";
import { one, type Search } from "@/lib/query";
import { pageMetadata } from "@/lib/seo";
import type { Label } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./Labels.module.css";
import { Empty, Grid, Heading, howMany, Pager } from "./Lists";

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
  const count = howMany(label.posts);
  const said = label.description ?? label.bio;
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
async function labelOf(kind: Kind, { params, searchParams }: LabelParams) {
  const name = decoded((await params).name);
  const after = one((await searchParams).after);
  const [label, page] = await Promise.all([
    readLabel(kind, name),
    orNothing(listPosts({ limit: PAGE, after, [CHOICE[kind]]: name })),
  ]);
  if (page === null || (label === null && page.data.length === 0)) notFound();
  return { label: label ?? { id: name, name, slug: null }, page, after };
}

export async function labelMetadata(kind: Kind, asked: LabelParams) {
  const { label, after } = await labelOf(kind, asked);
  const path = labelPath(kind, label);
  return pageMetadata({
    title: label.name,
    description: label.description ?? label.bio ?? `${texts.blog.labels[kind].one}: ${label.name}`,
    path: after === undefined ? path : `${path}?after=${encodeURIComponent(after)}`,
  });
}

export async function LabelPage({ kind, asked }: { kind: Kind; asked: LabelParams }) {
  const { label, page, after } = await labelOf(kind, asked);
  const said = label.description ?? label.bio;
  const count = howMany(label.posts);
  return (
    <>
      <Heading title={label.name} kicker={<a href={`/${kind}`}>{texts.blog.labels[kind].title}</a>}>
        {said && <p dir="auto">{said}</p>}
        {count && <p className={styles.total}>{count}</p>}
      </Heading>
      {page.data.length === 0 ? <Empty title={texts.blog.labels.noPosts} /> : <Grid posts={page.data} under={kind} />}
      <Pager page={page} path={labelPath(kind, label)} isFirst={after === undefined} />
    </>
  );
}
