"use client";
// What was done, or could not be, in one line that stays long enough to be read. Errors stay until they are closed.
// While a dialog is open they are within it: all else is inert then, to the eye, to the pointer and to a screen reader.
import { createContext, useCallback, useContext, useRef, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { texts } from "@/texts";
import { cx, useTopDialog, type Tone } from "./ui";
import styles from "./shell.module.css";

const SECONDS = 6;
const MOST = 4;

interface Toast {
  id: number;
  tone: Tone;
  text: ReactNode;
}

const Context = createContext<(text: ReactNode, tone?: Tone) => void>(() => undefined);
export const useToast = () => useContext(Context);

/** What went wrong, as a toast. */
export function useTellError() {
  const tell = useToast();
  return useCallback((error: unknown) => tell(error instanceof Error ? error.message : String(error), "bad"), [tell]);
}

export function Toasts({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<Toast[]>([]);
  const last = useRef(0);
  const dialog = useTopDialog();
  const close = useCallback((id: number) => setShown((now) => now.filter((each) => each.id !== id)), []);
  const tell = useCallback(
    (text: ReactNode, tone: Tone = "plain") => {
      const id = ++last.current;
      setShown((now) => [...now.slice(1 - MOST), { id, tone, text }]);
      if (tone !== "bad") setTimeout(() => close(id), SECONDS * 1000);
    },
    [close],
  );
  return (
    <Context value={tell}>
      {children}
      <Log toasts={dialog ? [] : shown} close={close} />
      {dialog && createPortal(<Log toasts={shown} close={close} />, dialog)}
    </Context>
  );
}

/** It is there before anything is in it: a screen reader says what is added to it. */
function Log({ toasts, close }: { toasts: Toast[]; close: (id: number) => void }) {
  return (
    <div className={styles.toasts} role="log" aria-live="polite" aria-label={texts.studio.common.messages}>
      {toasts.map((each) => (
        <div key={each.id} className={cx(styles.toast, styles[`toast_${each.tone}`])}>
          <span>{each.text}</span>
          <button type="button" onClick={() => close(each.id)} aria-label={texts.studio.common.close}>
            <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3 L13 13 M13 3 L3 13" /></svg>
          </button>
        </div>
      ))}
    </div>
  );
}
