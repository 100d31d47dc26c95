"use client";
// A long list, a page after the other by the key of its last row.
import { useEffect, useState } from "react";
import useSWRInfinite from "swr/infinite";
import { query } from "./client";
import type { Paged } from "./types";

export interface List<T, M> {
  rows: T[];
  first: Paged<T, M>["meta"] | undefined;
  error: Error | undefined;
  isFirstLoad: boolean;
  isLoadingMore: boolean;
  hasMore: boolean;
  more: () => void;
  reload: () => void;
}

const STILL = 250; // milliseconds without a key before the gateway is asked

function useStill(text: string): string {
  const [still, setStill] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setStill(text), STILL);
    return () => clearTimeout(timer);
  }, [text]);
  return still;
}

type Values = Record<string, string | number | boolean | null | undefined>;

export function useList<T extends { id?: unknown }, M = object>(path: string, values: Values, seconds = 0): List<T, M> {
  const asked = useStill(query(values));
  const { data, error, size, setSize, isLoading, isValidating, mutate } = useSWRInfinite<Paged<T, M>, Error>(
    (index: number, before: Paged<T, M> | null) => {
      if (index > 0 && before?.meta.after == null) return null;
      const after = index > 0 ? `${asked ? "&" : "?"}after=${encodeURIComponent(String(before?.meta.after))}` : "";
      return path + asked + after;
    },
    { refreshInterval: seconds * 1000, revalidateFirstPage: seconds > 0, revalidateAll: false, persistSize: false },
  );
  const pages = data ?? [];
  return {
    rows: pages.flatMap((each) => each.data),
    first: pages[0]?.meta,
    error,
    isFirstLoad: isLoading && pages.length === 0,
    isLoadingMore: isValidating && size > pages.length,
    hasMore: pages.at(-1)?.meta.after != null,
    more: () => void setSize(size + 1),
    reload: () => void mutate(),
  };
}
