// Times, sizes and numbers as a person reads them, in the reader's own time zone.
import { texts } from "@/texts";

const when = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const whole = new Intl.NumberFormat("en");

export const at = (iso: string): string => when.format(new Date(iso));
export const clockAt = (iso: string): string => clock.format(new Date(iso));
export const number = (value: number): string => whole.format(value);
export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

const STEPS: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export function ago(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  for (const [unit, each] of STEPS) {
    if (Math.abs(seconds) >= each) return relative.format(Math.round(seconds / each), unit);
  }
  return texts.studio.common.justNow;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** What a field for a date or a time holds, as the gateway takes it; null: it is no time. */
export function instant(local: string): string | null {
  const time = new Date(local);
  return Number.isNaN(time.getTime()) || time.getUTCFullYear() > 9999 ? null : time.toISOString();
}

export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The beginning of a text, at a word's end where there is one. */
export function short(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  if (line.length <= most) return line;
  const cut = line.slice(0, most);
  const space = cut.lastIndexOf(" ");
  return `${space > most / 2 ? cut.slice(0, space) : cut}…`;
}
