"use client";
// Taking a picture down: what will be gone is said first, and the reason is kept.
import { useState } from "react";
import { call } from "@/lib/studio/client";
import type { Lineage } from "@/lib/studio/types";
import { texts } from "@/texts";
import { useMay } from "./shell";
import { StudioPicture } from "./studio-picture";
import { useToast } from "./toasts";
import { Button, Choices, Dialog, Field, Notice } from "./ui";
import styles from "./lineage.module.css";

const words = texts.studio.takeDown;

interface TakenDown {
  data: { removed: string[]; hidden: string[]; done: boolean; others_may_hold: string[] };
  meta: { job: string | null };
}

export interface TakeDownProps {
  open: boolean;
  whole: Lineage;
  onClose: () => void;
  onDone: () => void;
}

export function TakeDown({ open, whole, onClose, onDone }: TakeDownProps) {
  const { prompt, image } = whole;
  const isAdmin = useMay("admin");
  const isPost = prompt.post_status === "published" && prompt.post_path !== null;
  const [how, setHow] = useState<"delete" | "hide">(isAdmin ? "delete" : "hide");
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [isMissing, setMissing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [held, setHeld] = useState<string[] | null>(null);
  const tell = useToast();
  if (!image) return null;

  async function submit(event: React.FormEvent) {
    event.preventDefault();
    if (busy) return;
    if (!reason.trim()) return setMissing(true);
    setBusy(true);
    setError(null);
    try {
      const own = { reason: reason.trim() };
      const post = prompt["published_post_id"] ?? prompt["post_id"];
      const { data } =
        how === "hide"
          ? await call<TakenDown>("posts/unpublish", { method: "POST", body: { ...own, post: String(post), keep_picture: true } })
          : await call<TakenDown>("images/delete", { method: "POST", body: { ...own, image: String(image?.id) } });
      tell(how === "hide" ? words.hidden : words.removed, "good");
      onDone();
      if (data.others_may_hold?.length) setHeld(data.others_may_hold);
      else onClose();
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : String(problem));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog open={open} title={held ? words.doneTitle : words.title} onClose={onClose}>
      {held ? (
        <div className={styles.dialogForm}>
          <p>{words.othersMayHold}</p>
          <ul>{held.map((each) => <li key={each}>{each}</li>)}</ul>
          <Button look="main" onClick={onClose}>{texts.studio.common.close}</Button>
        </div>
      ) : (
        <form className={styles.dialogForm} onSubmit={submit} noValidate>
          <div className={styles.takeDownShot}>
            <StudioPicture picture={{ url: image.thumbnail_url ?? image.url, width: image.width, height: image.height, srcset: {}, placeholder: null }} alt="" sizes="6rem" />
            <p dir="auto">{prompt.post_title ?? prompt.title ?? prompt.prompt}</p>
          </div>
          {isPost && isAdmin && (
            <Choices
              legend={words.how}
              value={how}
              onChange={setHow}
              choices={[
                { value: "delete", label: words.delete },
                { value: "hide", label: words.hide },
              ]}
            />
          )}
          <p>{how === "hide" ? words.hideText : words.deleteText(isPost)}</p>
          <Field label={words.reason} hint={words.reasonHint} error={isMissing && !reason.trim() ? words.reasonMissing : null}>
            {(given) => <input {...given} dir="auto" autoFocus maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
          </Field>
          {error && <Notice tone="bad">{error}</Notice>}
          <div className={styles.actions}>
            <Button look="danger" type="submit" busy={busy}>{how === "hide" ? words.hide : words.confirm}</Button>
            <Button look="quiet" onClick={onClose}>{texts.studio.common.cancel}</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
