import type { Metadata } from "next";
import { Health } from "@/components/studio/health";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.rooms.health) };

export default function Page() {
  return <Health />;
}
