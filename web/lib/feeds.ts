// The newest posts for feed readers, as RSS 2.0 and as JSON Feed 1.1.
import "server-only";
import { dateOf, moment, titleOf } from "./format";
import { beside, listPosts, readPost } from "./gateway";
import { htmlOf } from "./markdown";
import { postPath } from "./paths";
import { descriptionOf, siteUrl } from "./seo";
import { siteDescription, siteName } from "./settings";
import type { PostSummary } from "./types";
import { texts } from "@/texts";

const POSTS = 20;
const LONGEST = 50_000; // characters of a text that a feed has whole; of a longer one it has the excerpt

/** Text in XML: escaped, without the characters that no XML may have. */
export function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** The newest posts. Texts are read one by one: an answer with all of them may be more than Next keeps (2 MB). */
async function newest(): Promise<PostSummary[]> {
  const { data } = await listPosts({ limit: POSTS });
  return Promise.all(data.map((post) => beside<PostSummary>(readPost(post.slug), post)));
}

/** The text as HTML, with whole addresses: a feed reader shows it on a page of its own. */
function textOf(post: PostSummary, url: string): string {
  const text = post.content ?? "";
  if (text.length > LONGEST) return "";
  return htmlOf(text).replace(/( (?:href|src)=")(?![a-z][a-z0-9+.-]*:)([^"]*)/gi, (_, name: string, address: string) =>
    name + (URL.canParse(address, url) ? new URL(address, url).href : address).replaceAll('"', "&quot;"),
  );
}

export async function rss(): Promise<string> {
  const [site, posts] = await Promise.all([siteUrl(), newest()]);
  const latest = moment((posts[0] && dateOf(posts[0])) ?? null);
  return `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">
<channel>
<title>${xml(siteName())}</title>
<link>${xml(site)}/</link>
<description>${xml(siteDescription())}</description>
<language>en</language>
<atom:link href="${xml(site)}/feed.xml" rel="self" type="application/rss+xml"/>
${latest ? `<lastBuildDate>${latest.toUTCString()}</lastBuildDate>\n` : ""}${posts.map((post) => item(site, post)).join("")}</channel>
</rss>
`;
}

function item(site: string, post: PostSummary): string {
  const url = xml(site + postPath(post.slug));
  const date = moment(dateOf(post));
  const text = textOf(post, site + postPath(post.slug));
  return `<item>
<title>${xml(titleOf(post, texts.blog.untitled))}</title>
<link>${url}</link>
<guid isPermaLink="true">${url}</guid>
${date ? `<pubDate>${date.toUTCString()}</pubDate>\n` : ""}${post.author ? `<dc:creator>${xml(post.author.name)}</dc:creator>\n` : ""}${post.category ? `<category>${xml(post.category.name)}</category>\n` : ""}<description>${xml(descriptionOf(post))}</description>
${text ? `<content:encoded>${xml(text)}</content:encoded>\n` : ""}${post.picture ? media(post.picture) : ""}</item>
`;
}

function media({ url, width, height, alt }: NonNullable<PostSummary["picture"]>): string {
  const size = width && height ? ` width="${width}" height="${height}"` : "";
  return `<media:content url="${xml(url)}" medium="image"${size}>${alt ? `<media:description>${xml(alt)}</media:description>` : ""}</media:content>\n`;
}

export async function jsonFeed(): Promise<object> {
  const [site, posts] = await Promise.all([siteUrl(), newest()]);
  return {
    version: "https://jsonfeed.org/version/1.1",
    title: siteName(),
    description: siteDescription(),
    home_page_url: `${site}/`,
    feed_url: `${site}/feed.json`,
    language: "en",
    items: posts.map((post) => entry(post, site + postPath(post.slug))),
  };
}

function entry(post: PostSummary, url: string): object {
  const text = textOf(post, url);
  return {
    id: url,
    url,
    title: titleOf(post, texts.blog.untitled),
    summary: descriptionOf(post),
    ...(text ? { content_html: text } : { content_text: descriptionOf(post) }), // an excerpt is no HTML
    image: post.picture?.url,
    date_published: moment(dateOf(post))?.toISOString(),
    date_modified: moment(post.updated_at)?.toISOString(),
    authors: post.author ? [{ name: post.author.name }] : undefined,
    tags: post.category ? [post.category.name] : undefined,
  };
}
