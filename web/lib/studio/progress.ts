"use client";
// How far a prompt is, as it happens: server-sent events, and where these do not come, a look every few seconds.
import { useEffect, useState } from "react";
import useSWR from "swr";
import { call } from "./client";
import type { Task } from "./types";

const EVENTS = [
  ...["queued", "claimed", "drawing", "stored", "ready", "asked_to_publish", "awaiting_approval", "approved", "published"],
  ...["returned", "paused", "edited", "retried", "failed", "rejected", "cancelled", "discarded", "taken_down", "deleted"],
];
export const ENDED = new Set(["published", "ready", "rejected", "failed", "cancelled"]);
const LOOK = 4_000; // milliseconds between looks where there is no stream

const look = (path: string) => call<Task>(path, { quiet: true });

export interface Step {
  event: string;
  at: string;
  detail: string | null;
}

export interface Progress {
  task: Task | undefined;
  steps: Step[];
  error: Error | undefined;
  look: () => void;
}

export function useProgress(id: number): Progress {
  const [steps, setSteps] = useState<Step[]>([]);
  const [streams, setStreams] = useState(true);
  const { data: task, error, mutate } = useSWR<Task, Error>(`tasks/${id}`, look, {
    refreshInterval: (now) => (now && ENDED.has(now.state) ? 0 : streams ? 4 * LOOK : LOOK),
  });
  const over = task !== undefined && ENDED.has(task.state);

  useEffect(() => {
    if (over) return;
    const source = new EventSource(`/studio/api/tasks/${id}/events`);
    const seen = (event: MessageEvent<string>) => {
      const told = parsed(event.data);
      setSteps((now) => added(now, { event: event.type, at: told.at ?? new Date().toISOString(), detail: told.detail ?? told.message ?? null }));
      if (told.state !== undefined || event.type === "deleted") source.close(); // all is told
      void mutate();
    };
    for (const each of EVENTS) source.addEventListener(each, seen);
    source.onopen = () => setStreams(true);
    source.onerror = () => setStreams(source.readyState !== EventSource.CLOSED);
    return () => source.close();
  }, [id, over, mutate]);

  return { task, steps, error, look: () => void mutate() };
}

/** The same without a stream, for one of many. */
export function useTask(id: number): Task | undefined {
  return useSWR<Task, Error>(`tasks/${id}`, look, {
    refreshInterval: (now) => (now && ENDED.has(now.state) ? 0 : 4 * LOOK),
  }).data;
}

interface Told {
  at?: string;
  detail?: string | null;
  message?: string;
  state?: string;
}

function parsed(text: string): Told {
  try {
    return JSON.parse(text) as Told;
  } catch {
    return {};
  }
}

/** A place in the queue that changes is one step; an event that comes again after a reconnect is none. */
function added(steps: Step[], step: Step): Step[] {
  const last = steps.at(-1);
  if (last?.event === step.event && (step.event === "queued" || last.at === step.at)) return [...steps.slice(0, -1), step];
  return [...steps, step];
}
