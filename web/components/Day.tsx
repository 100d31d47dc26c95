import { day, shortDay } from "@/lib/format";

export function Day({ iso, short }: { iso: string; short?: boolean }) {
  return <time dateTime={iso}>{(short ? shortDay : day)(iso)}</time>;
}
