// What somebody is filling in at Generate. It is kept in the tab (no secret is in it), so that neither a session that
// ends nor a page that is loaded anew takes anything away.
import type { PromptBody } from "./asking";

export interface Draft {
  prompt: string;
  negative: string;
  size: string; // "WIDTHxHEIGHT"; "": the model's own
  preset: string; // "": as the settings say
  seed: string; // "": a new one each time
  becomes: "picture" | "post";
  title: string;
  excerpt: string;
  content: string;
  category: string;
  author: string;
  alt: string;
  when: "now" | "time" | "review";
  at: string; // of an <input type="datetime-local">
}

export const EMPTY: Draft = {
  prompt: "",
  negative: "",
  size: "",
  preset: "",
  seed: "",
  becomes: "post",
  title: "",
  excerpt: "",
  content: "",
  category: "",
  author: "",
  alt: "",
  when: "now",
  at: "",
};
const PLACE = "glad-studio-draft";
const RECENT = "glad-studio-asked";
const MOST = 12;

export function keptDraft(): Draft {
  return { ...EMPTY, ...parsed<Partial<Draft>>(PLACE, {}) };
}

export function keepDraft(draft: Draft): void {
  write(PLACE, draft);
}

/** Ids of what was asked for from this tab, the newest first. */
export function keptIds(): number[] {
  return parsed<number[]>(RECENT, []);
}

export function keepIds(ids: number[]): void {
  write(RECENT, ids.slice(0, MOST));
}

function parsed<T>(place: string, otherwise: T): T {
  try {
    return (JSON.parse(sessionStorage.getItem(place) ?? "null") as T | null) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(place: string, value: unknown): void {
  try {
    sessionStorage.setItem(place, JSON.stringify(value));
  } catch {
    // a full or forbidden storage: the page works without it
  }
}

/** As the gateway takes it, without seed and key. */
export function bodyOf(draft: Draft): PromptBody {
  const isPost = draft.becomes === "post";
  const own: Record<string, string> = { prompt: draft.prompt.trim(), publish: draft.becomes };
  const given = { negative_prompt: draft.negative, size: draft.size, preset: draft.preset, alt_text: draft.alt };
  const post = { title: draft.title, excerpt: draft.excerpt, content: draft.content, category: draft.category, author: draft.author };
  for (const [name, value] of Object.entries({ ...given, ...(isPost ? post : {}) })) {
    if (value.trim()) own[name] = value.trim();
  }
  const body: PromptBody = own;
  if (isPost && draft.when === "review") body.needs_approval = true;
  if (isPost && draft.when === "time" && Number.isFinite(Date.parse(draft.at))) body.publish_at = new Date(draft.at).toISOString();
  return body;
}
