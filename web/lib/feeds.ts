// The newest posts for feed readers, as RSS 2.0 and as JSON Feed 1.1.
import "server-only";
import { dateOf, titleOf } from "./format";
import { listPosts } from "./gateway";
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

const newest = async () => (await listPosts({ limit: POSTS, fields: "all" })).data;
const textOf = (post: PostSummary) => ((post.content ?? "").length <= LONGEST ? htmlOf(post.content ?? "") : "");
const rfc822 = (iso: string) => new Date(iso).toUTCString();

export async function rss(): Promise<string> {
  const [site, posts] = await Promise.all([siteUrl(), newest()]);
  const latest = posts[0] && dateOf(posts[0]);
  return `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">
<channel>
<title>${xml(siteName())}</title>
<link>${xml(site)}/</link>
<description>${xml(siteDescription())}</description>
<language>en</language>
<atom:link href="${xml(site)}/feed.xml" rel="self" type="application/rss+xml"/>
${latest ? `<lastBuildDate>${rfc822(latest)}</lastBuildDate>\n` : ""}${posts.map((post) => item(site, post)).join("")}</channel>
</rss>
`;
}

function item(site: string, post: PostSummary): string {
  const url = xml(site + postPath(post.slug));
  const date = dateOf(post);
  const text = textOf(post);
  return `<item>
<title>${xml(titleOf(post, texts.blog.untitled))}</title>
<link>${url}</link>
<guid isPermaLink="true">${url}</guid>
${date ? `<pubDate>${rfc822(date)}</pubDate>\n` : ""}${post.author ? `<dc:creator>${xml(post.author.name)}</dc:creator>\n` : ""}${post.category ? `<category>${xml(post.category.name)}</category>\n` : ""}<description>${xml(descriptionOf(post))}</description>
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
    items: posts.map((post) => ({
      id: site + postPath(post.slug),
      url: site + postPath(post.slug),
      title: titleOf(post, texts.blog.untitled),
      summary: descriptionOf(post),
      content_html: textOf(post) || descriptionOf(post),
      ...(post.picture ? { image: post.picture.url } : {}),
      ...(dateOf(post) ? { date_published: new Date(dateOf(post) as string).toISOString() } : {}),
      ...(post.updated_at ? { date_modified: new Date(post.updated_at).toISOString() } : {}),
      ...(post.author ? { authors: [{ name: post.author.name }] } : {}),
      ...(post.category ? { tags: [post.category.name] } : {}),
    })),
  };
}
