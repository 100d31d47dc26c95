// What search engines, feed readers and social networks are told of a page.
import "server-only";
import type { Metadata } from "next";
import { headers } from "next/headers";
import { HOST } from "./hosts";
import { shortened, titleOf, dateOf } from "./format";
import { plainOf } from "./markdown";
import { labelPath, picturePath, postPath } from "./paths";
import { siteDescription, siteName, siteUrlSetting } from "./settings";
import type { AboutPicture, Post, PostSummary } from "./types";
import { texts } from "@/texts";

/** The site's public address: the setting, else the one that was asked for. */
export async function siteUrl(): Promise<string> {
  if (siteUrlSetting()) return siteUrlSetting();
  const asked = await headers();
  const host = asked.get(HOST) ?? "";
  const scheme = asked.get("x-forwarded-proto")?.split(",")[0]?.trim() ?? "http";
  return /^[\w.:[\]-]+$/.test(host) && /^https?$/.test(scheme) ? `${scheme}://${host}` : "http://127.0.0.1";
}

export interface About {
  title?: string | undefined;
  description?: string | undefined;
  path: string;
  noindex?: boolean;
}

/** Title, description, canonical address, feeds, Open Graph and Twitter card of a page that is no post. */
export async function pageMetadata({ title, description, path, noindex }: About): Promise<Metadata> {
  const site = await siteUrl();
  const about = shortened(description || siteDescription(), 300);
  const shown = title ?? siteName();
  return {
    ...(title ? { title: shortened(title, 200) } : {}),
    description: about,
    alternates: { canonical: site + path, types: feeds(site) },
    ...(noindex ? { robots: { index: false, follow: true } } : {}),
    openGraph: { type: "website", title: shown, description: about, url: site + path, siteName: siteName(), locale: "en" },
    twitter: { card: "summary", title: shown, description: about },
  };
}

function feeds(site: string): Record<string, { url: string; title: string }[]> {
  return {
    "application/rss+xml": [{ url: `${site}/feed.xml`, title: siteName() }],
    "application/feed+json": [{ url: `${site}/feed.json`, title: siteName() }],
  };
}

export function descriptionOf(post: PostSummary): string {
  const said = post.seo_description || post.excerpt || plainOf(post.content ?? "");
  return shortened(said || titleOf(post, texts.blog.untitled), 300);
}

export async function postMetadata(post: Post): Promise<Metadata> {
  const site = await siteUrl();
  const url = site + postPath(post.slug);
  const title = shortened(post.seo_title?.trim() || titleOf(post, texts.blog.untitled), 200);
  const description = descriptionOf(post);
  const alt = post.picture?.alt ?? "";
  const cover = post.cover_image_url
    ? { url: post.cover_image_url, width: 1200, height: 630, alt }
    : post.picture && { url: post.picture.url, width: post.picture.width ?? undefined, height: post.picture.height ?? undefined, alt };
  const images = cover ? [Object.fromEntries(Object.entries(cover).filter(([, value]) => value)) as typeof cover] : [];
  return {
    title,
    description,
    ...(post.seo_keywords ? { keywords: post.seo_keywords } : {}),
    ...(post.author ? { authors: [{ name: post.author.name, url: site + labelPath("authors", post.author) }] } : {}),
    alternates: { canonical: url, types: feeds(site) },
    openGraph: {
      type: "article",
      title,
      description,
      url,
      siteName: siteName(),
      locale: "en",
      images,
      ...(dateOf(post) ? { publishedTime: dateOf(post) as string } : {}),
      ...(post.updated_at ? { modifiedTime: post.updated_at } : {}),
      ...(post.author ? { authors: [post.author.name] } : {}),
      ...(post.category ? { section: post.category.name } : {}),
      tags: (post.tags ?? []).map((tag) => tag.name),
    },
    twitter: { card: images.length > 0 ? "summary_large_image" : "summary", title, description, images },
  };
}

type Json = Record<string, unknown>;

export async function imageObject(post: PostSummary, about: AboutPicture | null): Promise<Json | null> {
  const picture = post.picture;
  if (picture === null) return null;
  const site = await siteUrl();
  return {
    "@type": "ImageObject",
    url: picture.url,
    contentUrl: picture.url,
    width: picture.width ?? undefined,
    height: picture.height ?? undefined,
    caption: picture.alt ?? undefined,
    ...(about && {
      creditText: about.credit ?? siteName(),
      creator: { "@type": "Organization", name: about.credit ?? siteName() },
      digitalSourceType: about.digital_source_type,
      dateCreated: about.drawn_at,
      license: about.license ?? undefined,
      acquireLicensePage: site + picturePath(post.slug),
    }),
  };
}

export async function articleData(post: Post, about: AboutPicture | null): Promise<Json> {
  const site = await siteUrl();
  return {
    "@context": "https://schema.org",
    "@type": "Article",
    headline: shortened(titleOf(post, texts.blog.untitled), 110),
    description: descriptionOf(post),
    mainEntityOfPage: site + postPath(post.slug),
    url: site + postPath(post.slug),
    datePublished: dateOf(post) ?? undefined,
    dateModified: post.updated_at ?? dateOf(post) ?? undefined,
    author: post.author
      ? { "@type": "Person", name: post.author.name, url: site + labelPath("authors", post.author) }
      : { "@type": "Organization", name: siteName(), url: site },
    publisher: { "@type": "Organization", name: siteName(), url: site },
    articleSection: post.category?.name,
    keywords: post.tags?.length ? post.tags.map((tag) => tag.name).join(", ") : undefined,
    image: (await imageObject(post, about)) ?? undefined,
  };
}
