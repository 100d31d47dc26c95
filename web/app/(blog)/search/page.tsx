import { Empty, Grid, Heading, Pager } from "@/components/Lists";
import { GatewayAway, listPosts, orNothing, TooMany } from "@/lib/gateway";
import { one, type Search } from "@/lib/query";
import { pageMetadata } from "@/lib/seo";
import { shortened } from "@/lib/format";
import type { Page } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./search.module.css";

const PAGE = 24;
const LONGEST = 200;
const words = texts.blog.search;

export async function generateMetadata({ searchParams }: { searchParams: Search }) {
  const asked = one((await searchParams).q);
  const title = asked === undefined ? words.title : words.found(shortened(asked, 80));
  return pageMetadata({ title, description: words.description, path: "/search", noindex: true });
}

export default async function SearchPage({ searchParams }: { searchParams: Search }) {
  const query = await searchParams;
  const asked = one(query.q)?.trim().slice(0, LONGEST);
  const after = one(query.after);
  return (
    <>
      <Heading title={words.title}>
        <p>{words.description}</p>
      </Heading>
      <form className={styles.form} action="/search" role="search">
        <label htmlFor="q">{words.label}</label>
        <input id="q" name="q" type="search" defaultValue={asked} maxLength={LONGEST} autoComplete="off" enterKeyHint="search" />
        <button type="submit">{words.button}</button>
      </form>
      {asked && <Found asked={asked} after={after} />}
    </>
  );
}

async function Found({ asked, after }: { asked: string; after: string | undefined }) {
  const page = await found(asked, after);
  if (page === "slow") return <Empty title={words.slow}>{words.slowText}</Empty>;
  if (page === "too many") return <Empty title={words.tooMany}>{words.tooManyText}</Empty>;
  if (page?.data.length === 0 && after !== undefined)
    return (
      <Empty title={texts.blog.pager.end}>
        <a href={`/search?q=${encodeURIComponent(asked)}`}>{texts.blog.pager.newest}</a>
      </Empty>
    );
  if (page === null || page.data.length === 0)
    return <Empty title={words.none(shortened(asked, 80))}>{words.noneText}</Empty>;
  return (
    <section aria-label={words.found(asked)} className={styles.found}>
      <Grid posts={page.data} />
      <Pager page={page} path={`/search?q=${encodeURIComponent(asked)}`} isFirst={after === undefined} />
    </section>
  );
}

/** A search that the gateway gave up, or has no turn for, is a page that says so. */
async function found(search: string, after: string | undefined): Promise<Page | null | "slow" | "too many"> {
  try {
    return await orNothing(listPosts({ limit: PAGE, after, search }));
  } catch (error) {
    if (error instanceof TooMany) return "too many";
    if (error instanceof GatewayAway) return "slow";
    throw error;
  }
}
