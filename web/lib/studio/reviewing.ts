"use client";
// The pictures that wait, a page after the other, and what was decided about each. A decision is held for a moment, so
// that it can be undone, and then sent with the picture that was seen: one that was drawn anew, or that somebody else
// has decided about meanwhile, is told and not decided about.
import { useCallback, useEffect, useRef, useState } from "react";
import { call, query } from "./client";
import type { Outcomes, Paged, Waiting } from "./types";

const HOLD = 4_000; // milliseconds in which a decision can be undone
const PAGE = 20;
const AHEAD = 8; // undecided pictures before the next page is asked for
const LOOK = 10_000; // milliseconds between looks for new ones

export type Mode = Waiting["status"];
export type Kind = "approve" | "reject" | "anew";
export type State = "held" | "sending" | "done" | "refused";

export interface Decision {
  item: Waiting;
  kind: Kind;
  reason?: string;
  state: State;
  detail?: string; // why it was refused
}

const PATHS: Record<Mode, Record<Kind, string>> = {
  awaiting_approval: { approve: "review/approve", reject: "review/reject", anew: "review/redraw" },
  ready: { approve: "review/publish", reject: "review/discard", anew: "review/redraw" },
};

function bodyOf(mode: Mode, { item, kind, reason }: Decision): object {
  if (kind === "approve" && mode === "ready") return { ids: [item.id] };
  const prompts = [{ id: item.id, image_id: item.image_id }];
  if (kind === "reject") return { prompts, reason };
  return { prompts }; // drawn again, it gets another seed from the gateway
}

export interface Waited {
  items: Waiting[];
  isLoaded: boolean;
  error: Error | undefined;
  load: () => void;
}

/** All that wait, as far as they were looked at; `first` before all others, where it waits. */
export function useWaiting(mode: Mode, first: number | null, undecided: (item: Waiting) => boolean): Waited {
  const [items, setItems] = useState<Waiting[]>([]);
  const [isLoaded, setLoaded] = useState(false);
  const [error, setError] = useState<Error>();
  const busy = useRef(false);
  const last = useRef(first === null ? undefined : Math.max(1, first - 1)); // the next page is after it
  const isFromMiddle = useRef(first !== null);

  const load = useCallback(async () => {
    if (busy.current) return;
    busy.current = true;
    const page = async () => {
      const { data } = await call<Paged<Waiting>>(`review${query({ status: mode, limit: PAGE, after: last.current })}`);
      last.current = data.at(-1)?.id ?? last.current;
      return data;
    };
    try {
      let found = await page();
      if (found.length < PAGE && isFromMiddle.current) {
        isFromMiddle.current = false;
        last.current = undefined; // those before the first one come last
        found = [...found, ...(await page())];
      }
      setItems((now) => [...new Map([...now, ...found].map((each) => [each.id, each])).values()]); // each once
      setError(undefined);
      setLoaded(true);
    } catch (problem) {
      setError(problem as Error);
    } finally {
      busy.current = false;
    }
  }, [mode]);

  useEffect(() => void load(), [load]);
  const left = items.filter(undecided).length;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && left < AHEAD && void load(), LOOK);
    return () => clearInterval(timer);
  }, [left, load]);
  useEffect(() => {
    if (isLoaded && left < AHEAD && items.length >= PAGE) void load();
  }, [left, isLoaded, items.length, load]);
  return { items, isLoaded, error, load: () => void load() };
}

export interface Deciding {
  decisions: ReadonlyMap<number, Decision>;
  decide: (item: Waiting, kind: Kind, reason?: string) => void;
  undo: () => Waiting | undefined; // whose decision was undone
  lastHeld: Decision | undefined;
}

export function useDeciding(mode: Mode, onRefused: (decision: Decision) => void): Deciding {
  const [decisions, setDecisions] = useState<ReadonlyMap<number, Decision>>(new Map());
  const held = useRef<{ decision: Decision; timer: ReturnType<typeof setTimeout> }[]>([]);
  const refused = useRef(onRefused);
  useEffect(() => {
    refused.current = onRefused;
  });

  const put = useCallback((decision: Decision | number) => {
    setDecisions((now) => {
      const next = new Map(now);
      if (typeof decision === "number") next.delete(decision);
      else next.set(decision.item.id, decision);
      return next;
    });
  }, []);

  const send = useCallback(
    async (decision: Decision, leaving = false) => {
      held.current = held.current.filter((each) => each.decision !== decision);
      put({ ...decision, state: "sending" });
      try {
        const body = bodyOf(mode, decision);
        const { data } = await call<Outcomes>(PATHS[mode][decision.kind], { method: "POST", body, keepalive: leaving });
        const outcome = data[0];
        if (outcome && !outcome.ok) throw new Error(outcome.detail);
        put({ ...decision, state: "done" });
      } catch (error) {
        const told: Decision = { ...decision, state: "refused", detail: error instanceof Error ? error.message : String(error) };
        put(told);
        refused.current(told);
      }
    },
    [mode, put],
  );

  const flush = useCallback(() => {
    for (const { decision, timer } of [...held.current]) {
      clearTimeout(timer);
      void send(decision, true);
    }
  }, [send]);

  useEffect(() => {
    window.addEventListener("pagehide", flush);
    return () => {
      window.removeEventListener("pagehide", flush);
      flush(); // another room of the studio was entered
    };
  }, [flush]);

  return {
    decisions,
    decide: (item, kind, reason) => {
      const known = decisions.get(item.id);
      if (known && known.state !== "refused") return; // pressed twice
      const decision: Decision = { item, kind, reason, state: "held" };
      put(decision);
      held.current.push({ decision, timer: setTimeout(() => void send(decision), HOLD) });
    },
    undo: () => {
      const last = held.current.pop();
      if (!last) return undefined;
      clearTimeout(last.timer);
      put(last.decision.item.id);
      return last.decision.item;
    },
    lastHeld: [...decisions.values()].findLast((each) => each.state === "held"),
  };
}
