// The addresses of pages.
import type { Named } from "./types";

export const postPath = (slug: string) => `/posts/${encodeURIComponent(slug)}`;
export const picturePath = (slug: string) => `${postPath(slug)}/picture`;

export function labelPath(kind: "categories" | "tags" | "authors", label: Named): string {
  return `/${kind}/${encodeURIComponent(label.slug ?? label.name)}`;
}

/** A part of an address as it was meant. What is no valid escape is taken as it stands. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
