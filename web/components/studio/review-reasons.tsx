"use client";
// Why a picture is rejected: one of the usual reasons by its number, or another in words.
import { useEffect, useRef, useState } from "react";
import type { Mode } from "@/lib/studio/reviewing";
import { texts } from "@/texts";
import { Button, Field } from "./ui";
import styles from "./review.module.css";

const words = texts.studio.review;
let last = ""; // the reason that was given last: the next is often the same

export interface ReasonsProps {
  mode: Mode;
  onReason: (reason: string) => void;
  onCancel: () => void;
}

export function Reasons({ mode, onReason, onCancel }: ReasonsProps) {
  const [reason, setReason] = useState(last);
  const [isMissing, setMissing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
    input.current?.form?.scrollIntoView({ block: "nearest" }); // on a phone its buttons are below the picture
    // What had the focus is gone with this form: who goes by keyboard is beside the buttons then, not at the page's top.
    return () => (document.getElementById("verdict") ?? document.getElementById("content"))?.focus({ preventScroll: true });
  }, []);

  function give(text: string) {
    if (!text.trim()) return setMissing(true);
    last = text.trim();
    onReason(last);
  }

  return (
    <form
      className={styles.reasons}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        give(reason);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
        const usual = event.altKey ? words.usualReasons[Number(event.code.replace("Digit", "")) - 1] : undefined;
        if (usual) {
          event.preventDefault();
          give(usual);
        }
      }}
    >
      <Field label={mode === "ready" ? words.whyDiscard : words.why} error={isMissing ? words.whyMissing : null} hint={words.whyHint}>
        {(given) => <input {...given} ref={input} dir="auto" maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
      </Field>
      <ul className={styles.usual}>
        {words.usualReasons.map((each, index) => (
          <li key={each}>
            <button type="button" onClick={() => give(each)} aria-keyshortcuts={`Alt+${index + 1}`}>
              <kbd>Alt {index + 1}</kbd> {each}
            </button>
          </li>
        ))}
      </ul>
      <div className={styles.verdict}>
        <Button look="danger" type="submit">
          {mode === "ready" ? words.discard : words.reject} <kbd>↵</kbd>
        </Button>
        <Button look="quiet" onClick={onCancel}>
          {texts.studio.common.cancel} <kbd>Esc</kbd>
        </Button>
      </div>
    </form>
  );
}
