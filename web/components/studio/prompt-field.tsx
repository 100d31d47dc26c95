"use client";
// The text of a prompt with what the model will read of it: tokens as they are typed, and what is not drawn as meant.
import { useEffect, useState } from "react";
import { call, Refused } from "@/lib/studio/client";
import { number } from "@/lib/studio/format";
import type { PromptBody } from "@/lib/studio/asking";
import type { One } from "@/lib/studio/types";
import { texts } from "@/texts";
import { cx, Field } from "./ui";
import styles from "./generate.module.css";

const words = texts.studio.generate;
const STILL = 350; // milliseconds without a key

export interface Check {
  tokens: number | null;
  of: number | null; // that are drawn
  isEstimate: boolean;
  warnings: string[];
  problem: string | null; // why it would be refused as it is
}

interface Given {
  tokens?: { encoder?: string; tokens?: number; count?: number; of?: number; most?: number; limit?: number }[];
  estimated?: boolean;
  is_estimate?: boolean;
  warnings?: (string | { message?: string; detail?: string })[];
}

function checkOf(given: Given): Check {
  const counts = (given.tokens ?? []).map((each) => each.tokens ?? each.count ?? 0);
  const most = (given.tokens ?? []).map((each) => each.of ?? each.most ?? each.limit ?? 0).filter(Boolean);
  return {
    tokens: counts.length ? Math.max(...counts) : null,
    of: most.length ? Math.min(...most) : null,
    isEstimate: given.estimated ?? given.is_estimate ?? false,
    warnings: (given.warnings ?? []).map((each) => (typeof each === "string" ? each : (each.message ?? each.detail ?? ""))),
    problem: null,
  };
}

/** What the gateway says of a prompt as it stands, once nobody has typed for a moment. */
export function useCheck(body: PromptBody): Check | null {
  const [check, setCheck] = useState<Check | null>(null);
  const text = JSON.stringify(body);
  useEffect(() => {
    let current = true;
    const asked = JSON.parse(text) as PromptBody;
    if (!asked.prompt) return setCheck(null);
    const timer = setTimeout(async () => {
      try {
        const { data } = await call<One<Given>>("prompts/check", { method: "POST", body: asked });
        if (current) setCheck(checkOf(data));
      } catch (error) {
        // What the gateway refuses is told; that it does not answer has its own line at the top of the page.
        const isTold = error instanceof Refused && error.status === 422;
        if (current) setCheck((was) => (isTold ? { ...(was ?? NOTHING), warnings: [], problem: error.message } : was));
      }
    }, STILL);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text]);
  return check;
}

const NOTHING: Check = { tokens: null, of: null, isEstimate: false, warnings: [], problem: null };

export interface PromptFieldProps {
  value: string;
  check: Check | null;
  error: string | null;
  onChange: (text: string) => void;
}

export function PromptField({ value, check, error, onChange }: PromptFieldProps) {
  return (
    <div className={styles.promptField}>
      <Field label={words.prompt} error={error} hint={<Count value={value} check={check} />}>
        {(given) => (
          <textarea
            {...given}
            className={styles.prompt}
            dir="auto"
            rows={3}
            maxLength={20_000}
            placeholder={words.promptExample}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        )}
      </Field>
      {check !== null && check.warnings.length > 0 && (
        <ul className={styles.warnings} aria-live="polite">
          {check.warnings.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      )}
      {check?.problem && (
        <p className={styles.problem} aria-live="polite">
          {check.problem}
        </p>
      )}
    </div>
  );
}

function Count({ value, check }: { value: string; check: Check | null }) {
  if (!value.trim()) return <>{words.promptHint}</>;
  if (check?.tokens == null) return <>{words.characters(number(value.length))}</>;
  const isLong = check.of !== null && check.tokens > check.of;
  return (
    <span className={cx(styles.tokens, isLong && styles.tokensOver)}>
      {words.tokens(number(check.tokens), check.of === null ? null : number(check.of), check.isEstimate)}
    </span>
  );
}
