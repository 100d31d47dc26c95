"use client";
// What can be done with a picture and its prompt. What cannot be undone asks first, and says what will be gone.
import { useRouter } from "next/navigation";
import { useState } from "react";
import { askAnew } from "@/lib/studio/asking";
import { call } from "@/lib/studio/client";
import { useJob } from "@/lib/studio/jobs";
import type { Lineage, Outcomes } from "@/lib/studio/types";
import { texts } from "@/texts";
import { MakePost } from "./easel";
import { Reproduction, type Reproduced } from "./reproduction";
import { useMay } from "./shell";
import { TakeDown } from "./take-down";
import { useTellError, useToast } from "./toasts";
import { Button, Notice } from "./ui";
import styles from "./lineage.module.css";

const words = texts.studio.lineage;
const RETRIABLE = new Set(["failed", "rejected", "cancelled"]);
const CANCELLABLE = new Set(["pending", "claimed", "generated"]);

export function LineageActions({ whole, reload }: { whole: Lineage; reload: () => void }) {
  const { prompt, image } = whole;
  const [busy, setBusy] = useState<string | null>(null);
  const [open, setOpen] = useState<"takeDown" | "makePost" | null>(null);
  const reproduction = useJob();
  const router = useRouter();
  const tell = useToast();
  const tellError = useTellError();
  const [mayAsk, mayReview] = [useMay("submit"), useMay("review")];
  const isThere = image !== null && image.removed_at === null;

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
    act(name, async () => {
      const { data } = await call<Outcomes>(path, { method: "POST", body });
      const outcome = data[0];
      if (outcome) tell(outcome.detail, outcome.ok ? "good" : "bad");
      reload();
    });

  return (
    <>
      <div className={styles.actions}>
        {prompt.status === "ready" && mayReview && <Button look="main" onClick={() => setOpen("makePost")}>{texts.studio.easel.makePost}</Button>}
        {mayAsk && RETRIABLE.has(prompt.status) && (
          <Button busy={busy === "retry"} onClick={() => one("retry", "prompts/retry", { ids: [prompt.id] })}>{texts.studio.easel.retry}</Button>
        )}
        {mayAsk && CANCELLABLE.has(prompt.status) && (
          <Button busy={busy === "cancel"} onClick={() => one("cancel", "prompts/cancel", { ids: [prompt.id] })}>{texts.studio.easel.cancel}</Button>
        )}
        {mayAsk && (
          <Button busy={busy === "anew"} onClick={() => act("anew", async () => router.push(`/studio/prompts/${await askAnew(prompt.id)}`))}>
            {texts.studio.easel.anew}
          </Button>
        )}
        {isThere && mayReview && (
          <Button busy={reproduction.isRunning} onClick={() => reproduction.begin("images/reproduce", { image: String(image.id) })}>
            {reproduction.isRunning ? words.reproducing : words.reproduce}
          </Button>
        )}
        {isThere && mayReview && <Button look="danger" onClick={() => setOpen("takeDown")}>{words.takeDown}</Button>}
      </div>
      {reproduction.isRunning && reproduction.job?.progress && <Notice>{reproduction.job.progress}</Notice>}
      {reproduction.error && <Notice tone="bad" title={words.notReproduced}>{reproduction.error}</Notice>}
      {reproduction.job?.state === "done" && <Reproduction outcome={reproduction.job.result as Reproduced} />}
      {isThere && <TakeDown open={open === "takeDown"} whole={whole} onClose={() => setOpen(null)} onDone={reload} />}
      <MakePost
        open={open === "makePost"}
        onClose={() => setOpen(null)}
        onTitle={(title) => {
          setOpen(null);
          void one("publish", "review/publish", title ? { ids: [prompt.id], title } : { ids: [prompt.id] });
        }}
      />
    </>
  );
}
