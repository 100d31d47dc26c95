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

export interface Post {
  id: Id;
  title: string | null;
  slug: string;
  excerpt: string | null;
  content?: string | null;
  status: string | null;
  cover_image_url: string | null;
  category_id: Id | null;
  author_id: Id | null;
  published_at: string | null;
  created_at: string | null;
  updated_at: string | null;
  seo_title: string | null;
  seo_description: string | null;
  seo_keywords: string | null;
  picture: Picture | null;
}

export interface Page<T> {
  data: T[];
  meta: {
    pagination: {
      page: number | null;
      pageSize: number;
      total: number | null;
      totalIsExact: boolean | null;
      pageCount: number | null;
      next: string | null;
    };
  };
}

export interface Label {
  id: Id;
  name: string;
  slug: string | null;
  description: string | null;
}

export interface Author {
  id: Id;
  name: string;
  slug: string | null;
  bio: string | null;
  avatar_url: string | null;
}
