"use client";
// The text of a prompt with what the model will read of it: tokens as they are typed, and what is not drawn as meant.
import { useEffect, useState } from "react";
import type { PromptBody } from "@/lib/studio/asking";
import { call } from "@/lib/studio/client";
import { number } from "@/lib/studio/format";
import type { One } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Field } from "./ui";
import styles from "./generate.module.css";

const words = texts.studio.generate;
const STILL = 350; // milliseconds without a key

export interface Check {
  is_possible: boolean;
  problems: string[];
  warnings: string[];
  texts: { field: string; tokens: number; of: number; pieces: number; is_estimate: boolean }[];
  would_be: { width: number; height: number; num_inference_steps: number; model: string } | null;
}

/** What the gateway says of a prompt as it stands, once nobody has typed for a moment. */
export function useCheck(body: PromptBody): Check | null {
  const [check, setCheck] = useState<Check | null>(null);
  const text = JSON.stringify(body);
  useEffect(() => {
    let isCurrent = true;
    const asked = JSON.parse(text) as PromptBody;
    if (!asked.prompt) return setCheck(null);
    const timer = setTimeout(async () => {
      // Where it does not answer, the last count stays; that it is away has a line at the top of the page.
      const answer = await call<One<Check>>("prompts/check", { method: "POST", body: asked, quiet: true }).catch(() => null);
      if (isCurrent && answer) setCheck(answer.data);
    }, STILL);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text]);
  return check;
}

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
      <div aria-live="polite" className={styles.said}>
        <Said lines={check?.problems ?? []} className={styles.problems} />
        <Said lines={check?.warnings ?? []} className={styles.warnings} />
      </div>
    </div>
  );
}

function Said({ lines, className }: { lines: string[]; className: string | undefined }) {
  if (lines.length === 0) return null;
  return (
    <ul className={className}>
      {lines.map((each) => (
        <li key={each}>{each}</li>
      ))}
    </ul>
  );
}

function Count({ value, check }: { value: string; check: Check | null }) {
  if (!value.trim()) return <>{words.promptHint}</>;
  const found = check?.texts.find((each) => each.field === "prompt");
  if (!found) return <>{words.characters(number(value.length))}</>;
  const would = check?.would_be;
  return (
    <span className={styles.count}>
      <span>{words.tokens(number(found.tokens), found.of, found.pieces, found.is_estimate)}</span>
      {would && <span>{words.would(would.width, would.height, would.num_inference_steps, would.model)}</span>}
    </span>
  );
}
