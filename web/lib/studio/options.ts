"use client";
// What may be asked for, as the gateway says it: presets, shapes, limits, the blog's categories and authors.
import useSWR from "swr";
import type { Shape } from "@/components/studio/shapes";
import { call } from "./client";
import type { One } from "./types";

export interface Preset {
  name: string;
  title: string;
}

export interface Options {
  model: string;
  presets: Preset[];
  shapes: Shape[];
  categories: string[];
  authors: string[];
  dagster: string | null; // the address of its pages
  site: string | null;
  mostPixels: number | null;
}

interface Named {
  name: string;
}

interface Given {
  model?: { name?: string } | string;
  presets?: { name: string; steps?: number | null; meaning?: string | null; description?: string | null }[];
  sizes?: { ratio?: string; name?: string; width: number; height: number }[];
  categories?: Named[];
  authors?: Named[];
  dagster_url?: string | null;
  site_url?: string | null;
}

function optionsOf(given: Given): Options {
  return {
    model: typeof given.model === "string" ? given.model : (given.model?.name ?? ""),
    presets: (given.presets ?? []).map((each) => ({ name: each.name, title: each.meaning ?? each.description ?? "" })),
    shapes: (given.sizes ?? []).map((each) => ({ name: each.ratio ?? each.name ?? "", width: each.width, height: each.height })),
    categories: (given.categories ?? []).map((each) => each.name),
    authors: (given.authors ?? []).map((each) => each.name),
    dagster: given.dagster_url ?? null,
    site: given.site_url ?? null,
    mostPixels: null,
  };
}

export function useOptions(): { options: Options | undefined; error: Error | undefined } {
  const { data, error } = useSWR<Options, Error>(
    "options",
    async (path: string) => optionsOf((await call<One<Given>>(path)).data),
    { revalidateOnFocus: false, dedupingInterval: 60_000 },
  );
  return { options: data, error };
}
