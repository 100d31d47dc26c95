import type { Metadata } from "next";
import { Review } from "@/components/studio/review";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.rooms.review) };

/** `?prompt=17`: that one first, where it waits. */
export default async function Page({ searchParams }: { searchParams: Promise<{ prompt?: string | string[] }> }) {
  const { prompt } = await searchParams;
  const first = typeof prompt === "string" && /^\d{1,15}$/.test(prompt) ? Number(prompt) : null;
  return <Review first={first} />;
}
