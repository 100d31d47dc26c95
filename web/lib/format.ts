// Dates, lengths and first letters, as people read them. Times are shown as days in UTC: the server does not know where
// its reader is.
import type { PostSummary } from "./types";

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat("en-GB");
const WORDS_A_MINUTE = 230;
const SIGNS_A_MINUTE = 500; // of scripts that put no space between words
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/gu;

const written = (format: Intl.DateTimeFormat) => (iso: string) => {
  const date = new Date(iso);
  return Number.isNaN(date.valueOf()) ? iso : format.format(date);
};
export const day = written(DAY);
export const shortDay = written(SHORT_DAY);
export const month = written(MONTH);
export const number = (value: number) => NUMBER.format(value);

export const dateOf = (post: PostSummary) => post.published_at ?? post.created_at;

export const titleOf = (post: PostSummary, untitled: string) => post.title?.trim() || untitled;

export function minutesToRead(text: string): number {
  const signs = text.match(UNSPACED)?.length ?? 0;
  const words = text.replace(UNSPACED, " ").trim().split(/\s+/).filter(Boolean).length;
  return Math.max(1, Math.round(words / WORDS_A_MINUTE + signs / SIGNS_A_MINUTE));
}

/** A moment as feeds and sitemaps write it; null where it is none: PostgreSQL's `infinity`, say. */
export function moment(text: string | null): Date | null {
  const date = new Date(text ?? "");
  return Number.isNaN(date.valueOf()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 1 ? null : date;
}

/** The first letter of a name, whatever a letter is in its script. */
export function initial(name: string): string {
  const [first] = new Intl.Segmenter("en", { granularity: "grapheme" }).segment(name.trim());
  return first?.segment.toUpperCase() ?? "";
}

/** Text of one line, cut at a word. */
export function shortened(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  if (line.length <= most) return line;
  const cut = line.slice(0, most - 1);
  const word = cut.lastIndexOf(" ");
  return `${(word > most / 2 ? cut.slice(0, word) : cut).replace(/[\s,;:.–-]+$/u, "").replace(/[\uD800-\uDBFF]$/, "")}…`;
}
