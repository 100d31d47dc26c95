// What the pages of one post have in common.
import "server-only";
import { notFound, redirect } from "next/navigation";
import { NotThere, readPost } from "./gateway";
import { decoded } from "./paths";
import type { Post } from "./types";

export type Params = Promise<{ slug: string }>;

/** The post of this address, or the page 404; of one that was taken down since proxy.ts asked for it, the page 410. */
export async function postOf(params: Params): Promise<Post> {
  try {
    return await readPost(decoded((await params).slug));
  } catch (error) {
    if (!(error instanceof NotThere)) throw error;
    if (error.status === 410) redirect("/gone"); // which reads no post, so that it sends nobody on
    notFound();
  }
}
