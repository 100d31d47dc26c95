// Sitemaps of any number of posts: an index of files, of which the gateway says what is in each.
import "server-only";
import { xml } from "./feeds";
import { moment } from "./format";
import { listLabels, sitemapChunk, sitemapChunks, type Kind } from "./gateway";
import { labelPath, postPath } from "./paths";
import { siteUrl } from "./seo";

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9";
const KINDS: Kind[] = ["categories", "tags", "authors"];
const PAGES = "pages"; // the file of what is no post

export async function sitemapIndex(): Promise<string> {
  const site = await siteUrl();
  const names = [PAGES, ...(await sitemapChunks()).map((each) => each.chunk)];
  const files = names.map((name) => `<sitemap><loc>${xml(`${site}/sitemaps/${name}.xml`)}</loc></sitemap>\n`);
  return `${HEAD}<sitemapindex xmlns="${XMLNS}">\n${files.join("")}</sitemapindex>\n`;
}

/** One file of the index; null: there is none of this name. */
export async function sitemapFile(file: string): Promise<string | null> {
  const name = /^(.+)\.xml$/.exec(file)?.[1];
  if (name === undefined) return null;
  const entries = name === PAGES ? await pages() : await posts(name);
  if (entries === null) return null;
  return `${HEAD}<urlset xmlns="${XMLNS}" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">\n${entries.join("")}</urlset>\n`;
}

async function pages(): Promise<string[]> {
  const site = await siteUrl();
  const labels = await Promise.all(
    KINDS.map(async (kind) => (await listLabels(kind)).filter(({ posts }) => posts !== 0).map((label) => labelPath(kind, label))),
  );
  const paths = ["/", "/posts", ...KINDS.map((kind) => `/${kind}`), ...labels.flat()];
  return paths.map((path) => `<url><loc>${xml(site + path)}</loc></url>\n`);
}

async function posts(name: string): Promise<string[] | null> {
  const [site, found] = await Promise.all([siteUrl(), sitemapChunk(name)]);
  return (
    found?.map(({ slug, updated_at, picture }) => {
      const at = moment(updated_at);
      const changed = at ? `<lastmod>${at.toISOString()}</lastmod>` : "";
      const image = picture ? `<image:image><image:loc>${xml(picture)}</image:loc></image:image>` : "";
      return `<url><loc>${xml(site + postPath(slug))}</loc>${changed}${image}</url>\n`;
    }) ?? null
  );
}
