"use client";
// What becomes of a request: its place in the queue, the drawing, the picture, and what to do with it.
import Link from "next/link";
import { useEffect, useState } from "react";
import { askAnew } from "@/lib/studio/asking";
import { call } from "@/lib/studio/client";
import { duration } from "@/lib/studio/format";
import { ENDED, useProgress, useTask, type Progress } from "@/lib/studio/progress";
import type { Outcomes, Task } from "@/lib/studio/types";
import { texts } from "@/texts";
import { useMay } from "./shell";
import { StatusBadge } from "./status";
import { useTellError, useToast } from "./toasts";
import { Button, cx, Dialog, Field, Notice } from "./ui";
import styles from "./easel.module.css";

const words = texts.studio.easel;

type Shape = { width: number; height: number };

export interface EaselProps {
  id: number | null;
  asked: number[];
  shape: Shape;
  onShow: (id: number) => void;
  onAsked: (id: number) => void;
}

export function Easel({ id, asked, shape, onShow, onAsked }: EaselProps) {
  return (
    <section id="easel" className={styles.easel} aria-label={words.title}>
      {id === null ? <Blank shape={shape} /> : <OnEasel key={id} id={id} shape={shape} onAsked={onAsked} />}
      {asked.length > 1 && (
        <div>
          <h2 className={styles.beforeTitle}>{words.before}</h2>
          <ul className={styles.before}>
            {asked.map((each) => (
              <li key={each}>
                <Earlier id={each} isShown={each === id} onShow={onShow} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}

/** An empty sheet of a shape: an SVG has one without a style of its own, which the policy of these pages forbids. */
function Sheet({ shape, children }: { shape: Shape; children?: React.ReactNode }) {
  return (
    <div className={styles.mat}>
      <div className={styles.sheet}>
        <svg viewBox={`0 0 ${shape.width} ${shape.height}`} className={styles.sizer} aria-hidden="true" />
        {children}
      </div>
    </div>
  );
}

function Blank({ shape }: { shape: Shape }) {
  return (
    <figure className={styles.figure}>
      <Sheet shape={shape}>
        <p className={styles.blank}>{words.blank}</p>
      </Sheet>
    </figure>
  );
}

function OnEasel({ id, shape, onAsked }: { id: number; shape: Shape; onAsked: (id: number) => void }) {
  const progress = useProgress(id);
  const { task, error } = progress;
  if (task === undefined) {
    return (
      <figure className={styles.figure}>
        <Sheet shape={shape}>{!error && <span className={styles.brush} aria-hidden="true" />}</Sheet>
        {error && <Notice tone="bad">{error.message}</Notice>}
      </figure>
    );
  }
  return (
    <figure className={styles.figure}>
      {task.image ? (
        <div className={styles.mat}>
          <img src={task.image.url} alt={task.image.alt_text} width={task.image.width} height={task.image.height} className={styles.picture} />
        </div>
      ) : (
        <Sheet shape={shape}>{ENDED.has(task.state) ? null : <span className={styles.brush} aria-hidden="true" />}</Sheet>
      )}
      <figcaption className={styles.caption}>
        <Standing task={task} />
        <Steps progress={progress} task={task} />
        <Actions task={task} look={progress.look} onAsked={onAsked} />
      </figcaption>
    </figure>
  );
}

function Standing({ task }: { task: Task }) {
  const seconds = useCountdown(task.eta_seconds ?? null);
  return (
    <div className={styles.standing} role="status">
      <p className={styles.headline}>{headline(task)}</p>
      <p className={styles.detail}>
        {task.state === "pending" && seconds !== null && words.left(duration(seconds))}
        {task.drawing && words.drawingOf(task.drawing.picture, task.drawing.of)}
        {ENDED.has(task.state) && task.generation_time !== null && words.took(duration(task.generation_time))}
      </p>
      {task.drawing ? (
        <progress className={styles.bar} value={task.drawing.picture - 0.5} max={task.drawing.of} aria-label={words.drawing} />
      ) : (
        !ENDED.has(task.state) && task.state !== "awaiting_approval" && <progress className={styles.bar} aria-label={words.drawing} />
      )}
      {task.reason && <p className={styles.reason}>{task.reason}</p>}
    </div>
  );
}

function headline(task: Task): string {
  if (task.state === "pending" && task.place !== null) return words.place(task.place);
  return words.states[task.state];
}

/** Seconds left as they go by between two looks. */
function useCountdown(seconds: number | null): number | null {
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    setLeft(seconds);
    if (seconds === null) return;
    const timer = setInterval(() => setLeft((now) => (now === null ? null : Math.max(1, now - 1))), 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return left;
}

const STAGES = ["queued", "drawing", "stored", "published"] as const;
const REACHED: Record<string, number> = {
  pending: 0,
  claimed: 1,
  generated: 2,
  awaiting_approval: 2,
  ready: 3,
  published: 3,
};

function Steps({ task, progress }: { task: Task; progress: Progress }) {
  const reached = REACHED[task.state];
  if (reached === undefined) return null;
  const last = progress.steps.findLast((each) => each.event !== "queued");
  return (
    <ol className={styles.steps} title={last?.detail ?? undefined}>
      {STAGES.map((stage, index) => (
        <li key={stage} className={cx(index < reached && styles.past, index === reached && styles.now)} aria-current={index === reached ? "step" : undefined}>
          {stage === "published" && task.publish === "picture" ? words.stages.ready : words.stages[stage]}
        </li>
      ))}
    </ol>
  );
}

function Actions({ task, look, onAsked }: { task: Task; look: () => void; onAsked: (id: number) => void }) {
  const [busy, setBusy] = useState<string | null>(null);
  const [titled, setTitled] = useState(false);
  const tell = useToast();
  const tellError = useTellError();
  const [mayAsk, mayReview] = [useMay("submit"), useMay("review")];

  async function act(name: string, work: () => Promise<void>) {
    setBusy(name);
    try {
      await work();
      look();
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(null);
    }
  }

  function several(name: string, path: string, body: object) {
    return () =>
      act(name, async () => {
        const { data } = await call<Outcomes>(path, { method: "POST", body });
        for (const each of data) if (!each.ok) tell(each.detail, "bad");
      });
  }

  const anew = () => act("anew", async () => onAsked(await askAnew(task.id)));
  return (
    <div className={styles.actions}>
      {task.state === "published" && task.post && <a className={styles.link} href={task.post}>{words.read}</a>}
      {task.state === "awaiting_approval" && <Link className={styles.link} href={`/studio/review?prompt=${task.id}`}>{words.review}</Link>}
      {task.state === "ready" && mayReview && <Button look="main" onClick={() => setTitled(true)}>{words.makePost}</Button>}
      {(task.state === "failed" || task.state === "rejected" || task.state === "cancelled") && (
        <Button busy={busy === "retry"} onClick={several("retry", "prompts/retry", { ids: [task.id] })}>{words.retry}</Button>
      )}
      {task.state === "pending" && (
        <Button busy={busy === "cancel"} onClick={several("cancel", "prompts/cancel", { ids: [task.id] })}>{words.cancel}</Button>
      )}
      {task.image && mayAsk && <Button busy={busy === "anew"} onClick={anew}>{words.anew}</Button>}
      {task.state === "ready" && mayReview && (
        <Button look="quiet" busy={busy === "discard"} onClick={several("discard", "review/discard", { prompts: [{ id: task.id }] })}>{words.discard}</Button>
      )}
      <Link className={styles.quiet} href={`/studio/prompts/${task.id}`}>{words.lineage}</Link>
      <MakePost
        open={titled}
        onClose={() => setTitled(false)}
        onTitle={(title) => {
          setTitled(false);
          several("publish", "review/publish", { prompts: [{ id: task.id }], ...(title && { title }) })();
        }}
      />
    </div>
  );
}

export function MakePost({ open, onClose, onTitle }: { open: boolean; onClose: () => void; onTitle: (title: string) => void }) {
  const [title, setTitle] = useState("");
  return (
    <Dialog open={open} title={words.makePost} onClose={onClose}>
      <form
        className={styles.dialogForm}
        onSubmit={(event) => {
          event.preventDefault();
          onTitle(title.trim());
        }}
      >
        <Field label={words.postTitle} hint={words.postTitleHint} optional>
          {(given) => <input {...given} dir="auto" maxLength={255} value={title} onChange={(event) => setTitle(event.target.value)} />}
        </Field>
        <div className={styles.actions}>
          <Button look="main" type="submit">{words.publish}</Button>
          <Button look="quiet" onClick={onClose}>{texts.studio.common.cancel}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Earlier({ id, isShown, onShow }: { id: number; isShown: boolean; onShow: (id: number) => void }) {
  const task = useTask(id);
  return (
    <button type="button" className={styles.earlier} aria-pressed={isShown} onClick={() => onShow(id)}>
      {task?.image ? (
        <img src={task.image.thumbnail} alt={task.image.alt_text} width={72} height={72} loading="lazy" />
      ) : (
        <span className={styles.noThumb}>#{id}</span>
      )}
      {task && !task.image && <StatusBadge status={task.state} />}
    </button>
  );
}
