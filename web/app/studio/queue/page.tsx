import type { Metadata } from "next";
import { Queue } from "@/components/studio/queue";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.rooms.queue) };

export default function Page() {
  return <Queue />;
}
