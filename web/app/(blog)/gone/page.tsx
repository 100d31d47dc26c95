import type { Metadata } from "next";
import { Notice } from "@/components/Notice";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.blog.gone.title, robots: { index: false } };

export default function Gone() {
  return <Notice code="410" {...texts.blog.gone} />;
}
