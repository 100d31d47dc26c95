// What the pages of one post have in common.
import "server-only";
import { notFound } from "next/navigation";
import { orNothing, readPost } from "./gateway";
import { decoded } from "./paths";
import type { Post } from "./types";

export type Params = Promise<{ slug: string }>;

/** The post of this address, or the page 404. */
export async function postOf(params: Params): Promise<Post> {
  const post = await orNothing(readPost(decoded((await params).slug)));
  if (post === null) notFound();
  return post;
}
