"use client";
// Whether pictures are drawn, and the switch: what is in hand is finished, and no more begun.
import { useState } from "react";
import { useSWRConfig } from "swr";
import { call } from "@/lib/studio/client";
import type { Queue } from "@/lib/studio/types";
import { texts } from "@/texts";
import { useMay } from "./shell";
import { useTellError } from "./toasts";
import { Button, Dialog, Field, Notice } from "./ui";
import styles from "./queue.module.css";

const words = texts.studio.pausing;

export function Pausing({ queue }: { queue: Queue | undefined }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const { mutate } = useSWRConfig();
  const tellError = useTellError();
  const isAdmin = useMay("admin");
  if (queue === undefined) return null;

  async function act(path: string, body: object) {
    setBusy(true);
    setError(null);
    try {
      await call(path, { method: "POST", body });
      await mutate("queue");
      setOpen(false);
      setReason("");
    } catch (error) {
      // In the dialog: it stays beside what was asked for.
      if (open) setError(error instanceof Error ? error.message : String(error));
      else tellError(error);
    } finally {
      setBusy(false);
    }
  }

  const paused = queue.sources.filter((each) => each.paused_since !== null);
  return (
    <>
      {queue.paused && (
        <div className={styles.paused} role="status">
          <p>
            <strong>{words.isPaused}</strong> {queue.paused}
          </p>
        </div>
      )}
      {isAdmin && !queue.paused && <Button look="quiet" onClick={() => setOpen(true)}>{words.pause}</Button>}
      {isAdmin && queue.paused && (
        <Button look="main" busy={busy} onClick={() => act("queue/resume", resumed(paused))}>{words.resume}</Button>
      )}
      <Dialog open={open} title={words.pauseTitle} onClose={() => setOpen(false)}>
        <form
          className={styles.dialogForm}
          onSubmit={(event) => {
            event.preventDefault();
            if (!busy) void act("queue/pause", reason.trim() ? { reason: reason.trim() } : {});
          }}
        >
          <p>{words.pauseText}</p>
          <Field label={words.reason} hint={words.reasonHint} optional>
            {(given) => <input {...given} dir="auto" maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
          </Field>
          {error && <Notice tone="bad">{error}</Notice>}
          <div className={styles.dialogActions}>
            <Button look="main" type="submit" busy={busy}>{words.pause}</Button>
            <Button look="quiet" onClick={() => setOpen(false)}>{texts.studio.common.cancel}</Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}

/** What is ended: the pause of the one source that is paused, else of the whole queue. */
function resumed(paused: { source: string }[]): object {
  const only = paused.length === 1 ? paused[0]?.source : undefined;
  return only === undefined || only === "*" ? {} : { source: only };
}
