// What the gateway answers, as the pages use it.
export type Id = string | number;

export interface Picture {
  url: string;
  width: number | null;
  height: number | null;
  alt: string | null;
  placeholder: string | null;
  sizes: string;
  srcset: Record<string, string>;
}

/** A category, tag or author as a post names it. */
export interface Named {
  id: Id | null;
  name: string;
  slug: string | null;
}

export interface PostSummary {
  id: Id;
  title: string | null;
  slug: string;
  excerpt: string | null;
  cover_image_url: string | null;
  published_at: string | null;
  created_at: string | null;
  updated_at: string | null;
  seo_title: string | null;
  seo_description: string | null;
  seo_keywords: string | null;
  picture: Picture | null;
  category?: Named | null;
  author?: Named | null;
  content?: string | null;
}

export interface Post extends PostSummary {
  content: string | null;
  tags?: Named[];
}

export interface Page<T> {
  data: T[];
  meta: { pagination: { total: number | null; totalIsExact: boolean | null; next: string | null } };
}

/** A category, tag or author with what the blog says of it. */
export interface Label extends Named {
  id: Id;
  description?: string | null; // of categories and tags
  bio?: string | null; // of authors
  avatar_url?: string | null;
  posts?: number | null;
}

export interface AboutPicture {
  url: string;
  width: number;
  height: number;
  alt: string | null;
  drawn_at: string;
  model: { name: string; license: string | null };
  digital_source_type: string;
  credit: string | null;
  license: string | null;
  license_name: string | null;
  prompt: string | null;
}

export interface Chunk {
  chunk: string;
  posts: number;
}

export interface ChunkPost {
  slug: string;
  updated_at: string | null;
  picture: string | null;
}
