import type { Metadata } from "next";
import { Generate } from "@/components/studio/generate";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.rooms.generate) };

export default function Page() {
  return <Generate />;
}
