"use client";
// What may be asked for, as the gateway says it: presets, shapes, the blog's categories and authors.
import useSWR from "swr";
import type { One } from "./types";

export interface Preset {
  name: string;
  is_default: boolean;
  meaning: string;
  num_inference_steps: number | null;
  problem: string | null; // why it cannot be used
}

export interface Size {
  ratio: string;
  width: number;
  height: number;
  is_default: boolean;
}

interface Named {
  name: string;
}

export interface Options {
  model: { name: string; is_demo: boolean; problem: string | null };
  presets: Preset[];
  sizes: Size[];
  blog: { categories: Named[]; authors: Named[] };
  dagster_url: string | null;
  site_url: string | null;
}

export function useOptions(): Options | undefined {
  return useSWR<One<Options>>("options", { revalidateOnFocus: false, dedupingInterval: 60_000 }).data?.data;
}

/** Where a run is in Dagster's pages; null: their address is not known. */
export function runAddress(options: Options | undefined, run: string): string | null {
  return options?.dagster_url ? `${options.dagster_url.replace(/\/+$/, "")}/runs/${run}` : null;
}
