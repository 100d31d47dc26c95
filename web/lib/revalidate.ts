// Which kept data a message of the outbox is about.
import { POSTS, tagOfPost } from "./gateway";
import { decoded } from "./paths";

const GONE = "gone"; // the tag that the outbox adds for a takedown

export interface Message {
  paths: string[];
  tags: string[];
  isTakedown: boolean; // nobody may see the page of before
}

/** What the body says, or null where it is no message. */
export function messageOf(body: unknown): Message | null {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
  const lists = ["paths", "tags"].map((name) => (body as Record<string, unknown>)[name] ?? []);
  if (!lists.every((list) => Array.isArray(list) && list.every((each) => typeof each === "string"))) return null;
  const [paths = [], tags = []] = lists as string[][];
  return { paths, tags: tags.filter((tag) => tag !== GONE), isTakedown: tags.includes(GONE) };
}

/** Pages are made of data with tags: of a path, the tags of its data. */
export function tagsOf({ paths, tags }: Message): Set<string> {
  const named = tags.map((tag) => (tag.startsWith("post:") ? tagOfPost(tag.slice(5)) : tag));
  const ofPaths = paths.map((path) => {
    const slug = /^\/posts\/([^/?#]+)/.exec(path)?.[1];
    return slug === undefined ? POSTS : tagOfPost(decoded(slug));
  });
  return new Set([...named, ...ofPaths].filter((tag) => tag.length <= 256));
}
