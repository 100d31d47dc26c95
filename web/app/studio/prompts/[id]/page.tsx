import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { Lineage } from "@/components/studio/lineage";
import { texts } from "@/texts";

export const metadata: Metadata = { title: texts.studio.pageTitle(texts.studio.lineage.title) };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  if (!/^\d{1,15}$/.test(id)) notFound();
  return <Lineage id={Number(id)} />;
}
