"use client";
// Work that outlasts a request: begun here, followed until it ends.
import { useCallback, useEffect, useRef, useState } from "react";
import { call, Refused } from "./client";
import type { Job, One } from "./types";

const LOOK = 1_500;

export interface Following {
  job: Job | null;
  error: string | null;
  isRunning: boolean;
  begin: (path: string, body: object) => void;
}

export function useJob(): Following {
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isRunning, setRunning] = useState(false);
  const turn = useRef(0);
  useEffect(() => () => void turn.current++, []);

  const watch = useCallback(async (first: () => Promise<Job>) => {
    const mine = ++turn.current;
    setRunning(true);
    setError(null);
    try {
      let now = await first();
      while (mine === turn.current) {
        setJob(now);
        if (now.state !== "running") break;
        await new Promise((resolve) => setTimeout(resolve, LOOK));
        now = await lookedAt(now);
      }
      if (mine === turn.current && now.state === "failed") setError(now.problem);
    } catch (problem) {
      if (mine === turn.current) setError(problem instanceof Error ? problem.message : String(problem));
    } finally {
      if (mine === turn.current) setRunning(false);
    }
  }, []);

  const begin = useCallback(
    (path: string, body: object) => {
      setJob(null);
      void watch(async () => (await call<One<Job>>(path, { method: "POST", body })).data);
    },
    [watch],
  );
  return { job, error, isRunning, begin };
}

/** The work as it is now; as it was where nobody answers: it goes on meanwhile. */
async function lookedAt(job: Job): Promise<Job> {
  try {
    return (await call<One<Job>>(`jobs/${job.id}`)).data;
  } catch (problem) {
    if (problem instanceof Refused && problem.isAway) return job;
    throw problem;
  }
}
