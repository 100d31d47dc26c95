import type { Metadata } from "next";
import { Notice } from "@/components/Notice";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.blog.away.title, robots: { index: false } };

export default function Away() {
  return <Notice code="503" {...texts.blog.away} />;
}
