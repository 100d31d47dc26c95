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

type How = "delete" | "hide";

function pathAndBody(how: How, { prompt, image }: Lineage, reason: string): [path: string, body: object] {
  if (how === "delete") return ["images/delete", { reason, image: String(image?.id) }];
  const post = prompt["published_post_id"] ?? prompt["post_id"];
  return ["posts/unpublish", { reason, post: String(post), keep_picture: true }];
}

export function isPublished(prompt: Lineage["prompt"]): boolean {
  return prompt.post_status === "published" && prompt.post_path !== null;
}

function useTakingDown({ whole, onClose, onDone }: TakeDownProps) {
  const isAdmin = useMay("admin");
  const [how, setHow] = useState<How>(isAdmin ? "delete" : "hide");
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [isMissing, setMissing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [held, setHeld] = useState<string[] | null>(null); // who else may hold a copy, once it is done
  const tell = useToast();

  function close() {
    setHeld(null);
    onClose();
    onDone();
  }

  async function submit(event: React.FormEvent) {
    event.preventDefault();
    if (busy) return;
    if (!reason.trim()) return setMissing(true);
    setBusy(true);
    setError(null);
    try {
      const [path, body] = pathAndBody(how, whole, reason.trim());
      const { data } = await call<TakenDown>(path, { method: "POST", body });
      tell(how === "hide" ? words.hidden : words.removed, "good");
      if (data.others_may_hold?.length) setHeld(data.others_may_hold); // read first: the page has no picture then
      else close();
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : String(problem));
    } finally {
      setBusy(false);
    }
  }

  return { isAdmin, how, setHow, reason, setReason, error, isMissing: isMissing && !reason.trim(), busy, held, submit, close };
}

export function TakeDown(props: TakeDownProps) {
  const { prompt, image } = props.whole;
  const taking = useTakingDown(props);
  const isPost = isPublished(prompt);
  if (!image) return null;
  const hides = taking.how === "hide";
  return (
    <Dialog open={props.open} title={taking.held ? words.doneTitle : words.title} onClose={taking.held ? taking.close : props.onClose}>
      {taking.held ? (
        <OthersMayHold who={taking.held} onClose={taking.close} />
      ) : (
        <form className={styles.dialogForm} onSubmit={taking.submit} noValidate>
          <div className={styles.takeDownShot}>
            <StudioPicture picture={{ ...image, url: image.thumbnail_url ?? image.url, srcset: {}, placeholder: null }} alt="" sizes="6rem" />
            <p dir="auto">{prompt.post_title ?? prompt.title ?? prompt.prompt}</p>
          </div>
          {isPost && taking.isAdmin && (
            <Choices
              legend={words.how}
              value={taking.how}
              onChange={taking.setHow}
              choices={[
                { value: "delete", label: words.delete },
                { value: "hide", label: words.hide },
              ]}
            />
          )}
          <p>{hides ? words.hideText : words.deleteText(isPost)}</p>
          <Field label={words.reason} hint={words.reasonHint} error={taking.isMissing ? words.reasonMissing : null}>
            {(given) => <input {...given} dir="auto" maxLength={500} value={taking.reason} onChange={(event) => taking.setReason(event.target.value)} />}
          </Field>
          {taking.error && <Notice tone="bad">{taking.error}</Notice>}
          <div className={styles.actions}>
            <Button look="danger" type="submit" busy={taking.busy}>{hides ? words.hide : words.confirm}</Button>
            <Button look="quiet" onClick={props.onClose}>{texts.studio.common.cancel}</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function OthersMayHold({ who, onClose }: { who: string[]; onClose: () => void }) {
  return (
    <div className={styles.dialogForm}>
      <p>{words.othersMayHold}</p>
      <ul>
        {who.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
      <Button look="main" autoFocus onClick={onClose}>{texts.studio.common.close}</Button>
    </div>
  );
}
