import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { OnePicture } from "@/components/studio/one-picture";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.lineage.title) };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  if (!/^\d{1,15}$/.test(id)) notFound();
  return <OnePicture id={Number(id)} />;
}
