// What the blog reads from the gateway. Only addresses of which there is a bounded number are kept (posts, first pages);
// they carry tags, which /api/revalidate expires. While the gateway is away, what was kept is shown.
import "server-only";
import { createHash } from "node:crypto";
import { headers } from "next/headers";
import { gatewayUrl } from "./settings";
import type { Page, Post } from "./types";
import { siteHeaders, visitorOf } from "./visitors";

const KEPT_SECONDS = 60; // how old a kept answer may be at most where nobody told us of a change
const PATIENCE = 8000;

/** The gateway does not answer, or says that its database is away. */
export class GatewayAway extends Error {}

/** There is no such thing, or it was taken down (410). */
export class NotThere extends Error {
  constructor(readonly status: number) {
    super(`the gateway answers ${status}`);
  }
}

/** The tag of a post's data. Next takes tags of at most 256 characters. */
export function tagOfPost(slug: string): string {
  const plain = `post:${slug}`;
  return plain.length <= 200 ? plain : `post:${createHash("sha256").update(slug).digest("hex")}`;
}

export const POSTS = "posts"; // the tag of everything that lists posts

export interface Ask {
  tags?: string[]; // absent: nothing is kept
}

export async function ask<T>(path: string, { tags }: Ask = {}): Promise<T> {
  const kept = tags ? { next: { tags, revalidate: KEPT_SECONDS } } : { cache: "no-store" as const };
  const asking = siteHeaders(tags ? null : visitorOf(await headers()));
  let answer: Response;
  try {
    answer = await fetch(gatewayUrl() + path, { ...kept, headers: asking, signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new GatewayAway(`${gatewayUrl()} does not answer`, { cause: error });
  }
  if (answer.ok) return (await answer.json()) as T;
  if (answer.status < 500 && answer.status !== 429) throw new NotThere(answer.status);
  throw new GatewayAway(`the gateway answers ${answer.status}`);
}

export interface Choice {
  limit?: number;
  after?: string;
  category?: string;
  tag?: string;
  author?: string;
  search?: string;
}

export function listPosts(choice: Choice): Promise<Page<Post>> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(choice)) if (value !== undefined) query.set(name, String(value));
  const kept = choice.after === undefined && choice.search === undefined;
  return ask(`/api/posts?${query}`, kept ? { tags: [POSTS] } : {});
}

export async function readPost(slug: string): Promise<Post> {
  const { data } = await ask<{ data: Post }>(`/api/posts/${encodeURIComponent(slug)}`, { tags: [tagOfPost(slug)] });
  return data;
}
