"use client";
// Whether everything is well: what draws, what was told to whom, what the doctor and the audit say.
import useSWR from "swr";
import { call } from "@/lib/studio/client";
import { number } from "@/lib/studio/format";
import type { One, Queue } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Audit } from "./audit";
import { Doctor } from "./doctor";
import { Outbox } from "./outbox";
import { Runs } from "./runs";
import { useMay } from "./shell";
import { cx, Notice } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.health;
const SECONDS = 10;

interface Drawing {
  status: "healthy" | "paused" | "stalled";
  message: string;
}

export function Health() {
  const isAdmin = useMay("admin");
  return (
    <div className={styles.page}>
      <h1>{words.title}</h1>
      <Now />
      <div className={styles.columns}>
        <div className={styles.column}>
          <Runs />
          {isAdmin && <Doctor />}
        </div>
        {isAdmin && (
          <div className={styles.column}>
            <Outbox />
            <Audit />
          </div>
        )}
      </div>
      {!isAdmin && <Notice tone="plain">{words.forAdmins}</Notice>}
    </div>
  );
}

function Now() {
  const { data: drawing, error } = useSWR<Drawing, Error>("drawing", (path: string) => call<Drawing>(path), { refreshInterval: SECONDS * 1000 });
  const { data: queue } = useSWR<One<Queue>>("queue", { refreshInterval: SECONDS * 1000 });
  const state = error ? "away" : (drawing?.status ?? "unknown");
  const counts = queue?.data.counts;
  return (
    <div className={styles.now} role="status">
      <p className={cx(styles.state, styles[`state_${state}`])}>
        <span className={styles.lamp} aria-hidden="true" />
        {words.states[state]}
      </p>
      {state !== "healthy" && <p className={styles.message}>{error ? error.message : drawing?.message}</p>}
      {counts && (
        <dl className={styles.figures}>
          {(["pending", "claimed", "awaiting_approval", "failed", "published"] as const).map((each) => (
            <div key={each}>
              <dt>{texts.studio.status[each]}</dt>
              <dd>{number(counts[each])}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
