import type { Metadata } from "next";
import { Pictures } from "@/components/studio/pictures";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.rooms.pictures) };

export default function Page() {
  return <Pictures />;
}
