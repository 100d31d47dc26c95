"use client";
// The studio's few controls. Everything is a native element: keyboard, focus and screen readers come with it.
import { useEffect, useId, useRef, useSyncExternalStore, type ButtonHTMLAttributes, type ReactNode } from "react";
import { texts } from "@/texts";
import styles from "./ui.module.css";

const words = texts.studio.common;

export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}

type Look = "main" | "plain" | "quiet" | "danger";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  busy?: boolean; // what it began is not over: it does nothing meanwhile, and keeps the focus
  small?: boolean;
}

export function Button({ look = "plain", busy = false, small, className, children, onClick, type, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type ?? "button"}
      className={cx(styles.button, styles[look], small && styles.small, className)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  );
}

export interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  optional?: boolean;
  children: (given: { id: string; "aria-describedby": string | undefined; "aria-invalid": true | undefined }) => ReactNode;
}

export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>
        {label}
        {optional && <span className={styles.optional}> {words.optional}</span>}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <div id={`${id}-hint`} className={styles.hint}>
          {hint}
        </div>
      )}
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
    </div>
  );
}

const nothing = () => () => undefined;
/** Whether this page's scripts have come. */
export const useIsReady = () => useSyncExternalStore(nothing, () => true, () => false);

/** Controls that cannot be used before: what is typed into them would be taken away when the scripts come. */
export function WhenReady({ children }: { children: ReactNode }) {
  return (
    <fieldset disabled={!useIsReady()} className={styles.whenReady}>
      {children}
    </fieldset>
  );
}

export interface Choice<V extends string> {
  value: V;
  label: string;
  disabled?: boolean;
}

export interface ChoicesProps<V extends string> {
  legend: string;
  hidden?: boolean; // the legend is for screen readers alone
  value: V;
  choices: readonly Choice<V>[];
  disabled?: boolean;
  onChange: (value: V) => void;
}

/** One of a few, side by side. */
export function Choices<V extends string>({ legend, hidden, value, choices, disabled, onChange }: ChoicesProps<V>) {
  const name = useId();
  return (
    <fieldset className={styles.choices} disabled={disabled}>
      <legend className={hidden ? "visually-hidden" : styles.label}>{legend}</legend>
      <div className={styles.segments}>
        {choices.map((each) => (
          <label key={each.value} className={styles.segment}>
            <input
              type="radio"
              name={name}
              value={each.value}
              checked={each.value === value}
              disabled={each.disabled}
              onChange={() => onChange(each.value)}
            />
            <span>{each.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export type Tone = "plain" | "good" | "warn" | "bad" | "busy";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={cx(styles.badge, styles[`tone_${tone}`])}>{children}</span>;
}

export function Notice({ tone = "plain", title, children, action }: { tone?: Tone; title?: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={cx(styles.notice, styles[`tone_${tone}`])}>
      <div className={styles.noticeText}>
        {title && <p className={styles.noticeTitle}>{title}</p>}
        {children}
      </div>
      {action}
    </div>
  );
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <svg viewBox="0 0 64 52" className={styles.emptyMark} aria-hidden="true">
        <rect x="1.5" y="1.5" width="61" height="49" rx="3" />
        <rect x="9" y="9" width="46" height="34" rx="1" />
        <path d="M9 37 L24 24 L35 34 L44 27 L55 37" />
        <circle cx="42" cy="18" r="3.5" />
      </svg>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className={styles.skeleton} role="status">
      <span className="visually-hidden">{words.loading}</span>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} />
      ))}
    </div>
  );
}

export function Failed({ error, again }: { error: Error; again?: () => void }) {
  return (
    <Notice tone="bad" title={words.notLoaded} action={again && <Button small onClick={again}>{words.tryAgain}</Button>}>
      <p>{error.message}</p>
    </Notice>
  );
}

export interface DialogProps {
  open: boolean;
  title: string;
  wide?: boolean;
  onClose?: () => void; // absent: it stays until it is answered
  children: ReactNode;
}

let openDialogs: readonly HTMLDialogElement[] = []; // the last is on top
const listeners = new Set<() => void>();

function noteDialogs(now: readonly HTMLDialogElement[]): void {
  openDialogs = now;
  for (const each of listeners) each();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The dialog in which alone something can be read and pressed just now; null: there is none, and the page can be. */
export function useTopDialog(): HTMLDialogElement | null {
  return useSyncExternalStore(listen, () => openDialogs.at(-1) ?? null, () => null);
}

/** The browser's own: the page behind it is inert, Escape closes it, the focus goes back. */
export function Dialog({ open, title, wide, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const isPressedBeside = useRef(false); // a text that is dragged out of the dialog is no click beside it
  useEffect(() => {
    const dialog = ref.current;
    if (open && dialog && !dialog.open) {
      dialog.showModal();
      dialog.querySelector<HTMLElement>("input:not([type=radio]), textarea, select")?.focus();
    }
    if (!open && dialog?.open) dialog.close();
    if (!open || !dialog) return;
    noteDialogs([...openDialogs, dialog]);
    return () => noteDialogs(openDialogs.filter((each) => each !== dialog));
  }, [open]);
  return (
    <dialog
      ref={ref}
      className={cx(styles.dialog, wide && styles.wide)}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={() => {
        // Chrome closes it at the second Escape, whatever `onCancel` says.
        if (!open) return;
        if (onClose) onClose();
        else ref.current?.showModal();
      }}
      onPointerDown={(event) => (isPressedBeside.current = event.target === ref.current)}
      onClick={(event) => event.target === ref.current && isPressedBeside.current && onClose?.()}
    >
      {open && (
        <div className={styles.dialogBody}>
          <div className={styles.dialogHead}>
            <h2 id={id}>{title}</h2>
            {onClose && (
              <button type="button" className={styles.close} onClick={onClose} aria-label={words.close}>
                <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3 L13 13 M13 3 L3 13" /></svg>
              </button>
            )}
          </div>
          {children}
        </div>
      )}
    </dialog>
  );
}
