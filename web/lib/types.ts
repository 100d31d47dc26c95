// What the gateway answers, by the names that pages use: its own document says what is in each.
import type { components } from "./openapi";

type Schemas = components["schemas"];

export type Picture = Schemas["glad_pipeline__gateway__post_models__Picture"];
export type Named = Schemas["Named"];
export type Post = Schemas["Post"];
export type PostSummary = Schemas["ListedPost"] & Partial<Pick<Post, "tags">>;
export type AboutPicture = Schemas["AboutPicture"];
export type Around = Schemas["Around"];
export type Chunk = Schemas["ChunkEntry"];
export type ChunkPost = Schemas["SitemapPost"];

/** A category or tag with what the blog says of it, or an author. */
export type Label = Pick<Schemas["Label"], "id" | "name" | "slug" | "posts"> &
  Partial<Pick<Schemas["Label"], "description">> &
  Partial<Pick<Schemas["Author"], "bio" | "avatar_url">>;

export interface Page {
  data: PostSummary[];
  meta: Schemas["PageMeta"];
}
