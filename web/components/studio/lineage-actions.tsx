"use client";
// What can be done with a picture and its prompt. What cannot be undone asks first, and says what will be gone.
import { useRouter } from "next/navigation";
import { useState } from "react";
import { askAnew } from "@/lib/studio/asking";
import { call } from "@/lib/studio/client";
import { useJob, type Following } from "@/lib/studio/jobs";
import type { Lineage, Outcomes } from "@/lib/studio/types";
import { texts } from "@/texts";
import { MakePost } from "./easel";
import { Reproduction, type Reproduced } from "./reproduction";
import { useMay } from "./shell";
import { isPublished, TakeDown } from "./take-down";
import { useTellError, useToast } from "./toasts";
import { Button, Notice } from "./ui";
import styles from "./lineage.module.css";

const own = texts.studio.lineage;
const words = texts.studio.easel;
const RETRIABLE = new Set(["failed", "rejected", "cancelled"]);
const CANCELLABLE = new Set(["pending", "claimed", "generated"]);

/** One act at a time, each told when it is done or could not be. */
function useActs(reload: () => void) {
  const [busy, setBusy] = useState<string | null>(null);
  const tell = useToast();
  const tellError = useTellError();

  async function act(name: string, work: () => Promise<void>) {
    setBusy(name);
    try {
      await work();
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(null);
    }
  }

  const one = (name: string, path: string, body: object) =>
    void act(name, async () => {
      const { data } = await call<Outcomes>(path, { method: "POST", body });
      const outcome = data[0];
      if (outcome) tell(outcome.detail, outcome.ok ? "good" : "bad");
      reload();
    });
  return { busy, act, one };
}

export function LineageActions({ whole, reload }: { whole: Lineage; reload: () => void }) {
  const { prompt, image } = whole;
  const { busy, act, one } = useActs(reload);
  const [open, setOpen] = useState<"takeDown" | "makePost" | null>(null);
  const reproduction = useJob();
  const router = useRouter();
  const [mayAsk, mayReview, isAdmin] = [useMay("submit"), useMay("review"), useMay("admin")];
  const isThere = image !== null && image.removed_at === null;
  const mayTakeDown = isAdmin || (mayReview && isPublished(prompt)); // without a post there is nothing to hide
  const [ids, close] = [[prompt.id], () => setOpen(null)];
  const seen = [{ id: prompt.id, ...(image && { image_id: image.id }) }];
  return (
    <>
      <div className={styles.actions}>
        {prompt.status === "ready" && mayReview && <Button look="main" onClick={() => setOpen("makePost")}>{words.makePost}</Button>}
        {mayAsk && RETRIABLE.has(prompt.status) && <Button busy={busy === "retry"} onClick={() => one("retry", "prompts/retry", { ids })}>{words.retry}</Button>}
        {mayAsk && CANCELLABLE.has(prompt.status) && <Button busy={busy === "cancel"} onClick={() => one("cancel", "prompts/cancel", { ids })}>{words.cancel}</Button>}
        {mayAsk && (
          <Button busy={busy === "anew"} onClick={() => act("anew", async () => router.push(`/studio/prompts/${await askAnew(prompt.id)}`))}>{words.anew}</Button>
        )}
        {isThere && mayReview && (
          <Button busy={reproduction.isRunning} onClick={() => reproduction.begin("images/reproduce", { image: String(image.id) })}>
            {reproduction.isRunning ? own.reproducing : own.reproduce}
          </Button>
        )}
        {isThere && mayTakeDown && <Button look="danger" onClick={() => setOpen("takeDown")}>{own.takeDown}</Button>}
      </div>
      <Reproducing following={reproduction} />
      {image && <TakeDown open={open === "takeDown"} whole={whole} onClose={close} onDone={reload} />}
      <MakePost
        open={open === "makePost"}
        onClose={close}
        onTitle={(title) => {
          close();
          one("publish", "review/publish", { prompts: seen, ...(title && { title }) });
        }}
      />
    </>
  );
}

function Reproducing({ following: { job, error, isRunning } }: { following: Following }) {
  return (
    <div aria-live="polite" className={styles.told}>
      {isRunning && job?.progress && <Notice>{job.progress}</Notice>}
      {error && <Notice tone="bad" title={own.notReproduced}>{error}</Notice>}
      {job?.state === "done" && <Reproduction outcome={job.result as Reproduced} />}
    </div>
  );
}
