// What the blog reads from the gateway. Only addresses of which there is a bounded number are kept: posts, the first page
// of all, and of each category, tag and author that there is. They carry tags, which /api/revalidate expires. While the
// gateway is away, what was kept is shown.
import "server-only";
import { createHash } from "node:crypto";
import { headers } from "next/headers";
import { cache } from "react";
import { epochOf } from "./epochs";
import { gatewayUrl } from "./settings";
import type { AboutPicture, Around, Chunk, ChunkPost, Label, Page, Post } from "./types";
import { siteHeaders, visitorOf } from "./visitors";

const KEPT_SECONDS = 60; // how old a kept answer may be where nobody told us of a change
const PATIENCE = 8000;

/** The gateway does not answer, or says that its database is away or had no time. */
export class GatewayAway extends Error {}

/** The gateway has counted too many requests of this visitor. */
export class TooMany extends GatewayAway {}

/** There is no such thing (404), it was taken down (410), or the gateway does not take what was asked (4xx). */
export class NotThere extends Error {
  constructor(readonly status: number) {
    super(`the gateway answers ${status}`);
  }
}

export const POSTS = "posts"; // the tag of everything that lists posts

/** The tag of a post's data. Next takes tags of at most 256 characters. */
export function tagOfPost(slug: string): string {
  const plain = `post:${slug}`;
  return plain.length <= 200 ? plain : `post:${createHash("sha256").update(slug).digest("hex")}`;
}

/** The answer of the gateway; without `tags` nothing is kept. */
export async function ask<T>(path: string, tags?: string[]): Promise<T> {
  const kept = tags ? { next: { tags, revalidate: KEPT_SECONDS } } : { cache: "no-store" as const };
  const asking = tags ? { ...siteHeaders(), "x-glad-epoch": epochOf(tags) } : siteHeaders(visitorOf(await headers()));
  const how = { ...kept, headers: asking, redirect: "manual", signal: AbortSignal.timeout(PATIENCE) } as const;
  let answer: Response;
  try {
    answer = await fetch(gatewayUrl() + path, how);
  } catch (error) {
    throw new GatewayAway(`${gatewayUrl()} does not answer`, { cause: error });
  }
  if (answer.ok) return (await answer.json()) as T;
  await answer.body?.cancel();
  if (answer.status === 429) throw new TooMany("the gateway answers 429");
  if (answer.status < 400) // nobody else is shown the secret
    throw new GatewayAway(`${gatewayUrl()} redirects to ${answer.headers.get("location")}: set GLAD_API_URL to the gateway itself`);
  if (answer.status < 500) throw new NotThere(answer.status);
  throw new GatewayAway(`the gateway answers ${answer.status}`);
}

/** Nothing, where the gateway has none. */
export async function orNothing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NotThere) return null;
    throw error;
  }
}

/** What stands beside the matter of a page, or `instead` where it cannot be had just now: it may take too long. */
export async function beside<T>(asked: Promise<T>, instead: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NotThere || error instanceof GatewayAway) return instead;
    throw error;
  }
}

export interface Choice {
  limit: number;
  after?: string | undefined;
  category?: string | undefined;
  tag?: string | undefined;
  author?: string | undefined;
  search?: string | undefined;
  fields?: "all" | "summary";
}

/** `mayBeKept`: false where what is chosen by is a visitor's own word. */
export function listPosts(choice: Choice, mayBeKept = true): Promise<Page> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ fields: "summary", ...choice }))
    if (value !== undefined) query.set(name, String(value));
  const bounded = choice.after === undefined && choice.search === undefined;
  return ask(`/api/posts?${query}`, bounded && mayBeKept ? [POSTS] : undefined);
}

export const readPost = cache(async (slug: string): Promise<Post> => {
  const answer = await ask<{ data: Post }>(`/api/posts/${encodeURIComponent(slug)}`, [tagOfPost(slug)]);
  return answer.data;
});

/** What is to be said of a post's picture; nothing where the picture is none of this pipeline's. */
export const aboutPicture = cache(async (slug: string): Promise<AboutPicture | null> => {
  const path = `/api/posts/${encodeURIComponent(slug)}/picture`;
  return (await orNothing(ask<{ data: AboutPicture }>(path, [tagOfPost(slug)])))?.data ?? null;
});

export async function around(slug: string): Promise<Around> {
  const asked = ask<{ data: Around }>(`/api/posts/${encodeURIComponent(slug)}/around`, [POSTS, tagOfPost(slug)]);
  return (await orNothing(asked))?.data ?? { newer: null, older: null };
}

export type Kind = "categories" | "tags" | "authors";

export async function listLabels(kind: Kind): Promise<Label[]> {
  return (await ask<{ data: Label[] }>(`/api/${kind}`, [POSTS])).data;
}

/** One of `listLabels`, by its slug, id or name. */
export async function listedLabel(kind: Kind, name: string): Promise<Label | null> {
  const labels = await listLabels(kind);
  const one = (says: (label: Label) => boolean) => labels.find(says);
  return one(({ slug }) => slug === name) ?? one(({ id }) => String(id) === name) ?? one((each) => each.name === name) ?? null;
}

/** One that is not listed: the list has an end, and is a little older. Nothing is kept of it, since names can be made up. */
export async function unlistedLabel(kind: Kind, name: string): Promise<Label | null> {
  return (await orNothing(ask<{ data: Label }>(`/api/${kind}/${encodeURIComponent(name)}`)))?.data ?? null;
}

export async function sitemapChunks(): Promise<Chunk[]> {
  return (await ask<{ data: Chunk[] }>("/api/sitemap")).data;
}

export async function sitemapChunk(chunk: string): Promise<ChunkPost[] | null> {
  const asked = ask<{ data: ChunkPost[] }>(`/api/sitemap/${encodeURIComponent(chunk)}`);
  return (await orNothing(asked))?.data ?? null;
}

/** Whether the gateway and its database are there. */
export async function gatewayAnswers(): Promise<boolean> {
  try {
    const asked = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(2000) } as const;
    const answer = await fetch(`${gatewayUrl()}/readyz`, asked);
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
