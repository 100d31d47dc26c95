"use client";
// The pictures that wait, a page after the other, and what was decided about each. A decision is held for a moment, so
// that it can be undone, and then sent with the picture that was seen: one that was drawn anew, or that somebody else
// has decided about meanwhile, is told and not decided about.
import { useCallback, useEffect, useRef, useState } from "react";
import { call, query, Refused } from "./client";
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

function bodyOf({ item, kind, reason }: Decision): object {
  const prompts = [{ id: item.id, image_id: item.image_id }];
  if (kind === "reject") return { prompts, reason };
  return { prompts }; // drawn again, it gets another seed from the gateway
}

export interface Waited {
  items: Waiting[];
  isLoaded: boolean;
  isFirstGone: boolean; // the one that was to come first does not wait any more
  error: Error | undefined;
  load: () => void;
}

/** Those that are known with those that were found: each once, and one that was drawn anew as it is now. */
function merged(now: Waiting[], found: Waiting[]): Waiting[] {
  const isNew = (each: Waiting) => !now.some((known) => known.id === each.id && known.image_id === each.image_id);
  const fresh = found.filter(isNew);
  if (fresh.length === 0) return now;
  return [...new Map([...now, ...fresh].map((each) => [each.id, each])).values()];
}

/** All that wait, as far as they were looked at; `first` before all others, where it waits. */
export function useWaiting(mode: Mode, first: number | null, undecided: (item: Waiting) => boolean): Waited {
  const [items, setItems] = useState<Waiting[]>([]);
  const [isLoaded, setLoaded] = useState(false);
  const [isFirstGone, setFirstGone] = useState(false);
  const [error, setError] = useState<Error>();
  const busy = useRef(false);
  const isBegun = useRef(false);
  const last = useRef(first === null || first < 2 ? undefined : first - 1); // the next page is after it

  const ask = useCallback(
    async (find: (page: (after?: number) => Promise<Waiting[]>) => Promise<Waiting[]>) => {
      if (busy.current) return;
      busy.current = true;
      try {
        const found = await find(async (after) => (await call<Paged<Waiting>>(`review${query({ status: mode, limit: PAGE, after })}`)).data);
        setItems((now) => merged(now, found));
        setError(undefined);
        setLoaded(true);
      } catch (problem) {
        setError(problem as Error);
      } finally {
        busy.current = false;
      }
    },
    [mode],
  );

  const load = useCallback(
    () =>
      ask(async (page) => {
        const found = await page(last.current);
        if (!isBegun.current) setFirstGone(first !== null && found[0]?.id !== first);
        isBegun.current = true;
        last.current = found.at(-1)?.id ?? last.current;
        return found;
      }),
    [ask, first],
  );
  // From the beginning: one that was drawn again has the number that it had, and so have those before the first one.
  const look = useCallback(() => ask((page) => page()), [ask]);

  useEffect(() => void load(), [load]);
  const left = items.filter(undecided).length;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && void look(), LOOK);
    return () => clearInterval(timer);
  }, [look]);
  useEffect(() => {
    if (isLoaded && left < AHEAD) void load().then(look);
  }, [left, isLoaded, load, look]);
  return { items, isLoaded, isFirstGone, error, load: () => void load() };
}

export interface Deciding {
  decisions: ReadonlyMap<number, Decision>;
  on: (item: Waiting) => Decision | undefined; // what was decided about this picture; it may be another one by now
  decide: (item: Waiting, kind: Kind, reason?: string) => void;
  undo: () => Waiting | undefined; // whose decision was undone
  lastHeld: Decision | undefined;
}

export function useDeciding(mode: Mode, onRefused: (decision: Decision, isSure: boolean) => void): Deciding {
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
        const body = bodyOf(decision);
        const { data } = await call<Outcomes>(PATHS[mode][decision.kind], { method: "POST", body, keepalive: leaving });
        const outcome = data[0];
        const became: Decision = outcome && !outcome.ok ? { ...decision, state: "refused", detail: outcome.detail } : { ...decision, state: "done" };
        put(became);
        if (became.state === "refused") refused.current(became, true);
      } catch (error) {
        put(decision.item.id); // it was not heard: it can be decided about again
        const isLost = error instanceof Refused && error.status === 0;
        refused.current({ ...decision, state: "refused", detail: error instanceof Error ? error.message : String(error) }, !isLost);
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

  const on = useCallback(
    (item: Waiting) => {
      const decision = decisions.get(item.id);
      return decision?.item.image_id === item.image_id ? decision : undefined;
    },
    [decisions],
  );

  return {
    decisions,
    on,
    decide: (item, kind, reason) => {
      const known = on(item);
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
