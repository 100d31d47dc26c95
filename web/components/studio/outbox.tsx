"use client";
// What site, CDN and bucket have to be told, and what became of it.
import { useState } from "react";
import { useSWRConfig } from "swr";
import { call } from "@/lib/studio/client";
import { ago, at, number } from "@/lib/studio/format";
import { useJob } from "@/lib/studio/jobs";
import { useList } from "@/lib/studio/list";
import type { Message, Outcomes } from "@/lib/studio/types";
import { texts } from "@/texts";
import { useTellError, useToast } from "./toasts";
import { Badge, Button, Failed, Notice, Skeleton, type Tone } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.outbox;
const STATES = ["waiting", "dead", "delivered", "skipped"] as const;
const TONES: Record<Message["status"], Tone> = { waiting: "busy", delivered: "good", skipped: "plain", dead: "bad" };

interface Delivered {
  delivered: number;
  waiting: number;
  dead: number;
  errors: string[];
}

export function Outbox() {
  const [status, setStatus] = useState<Message["status"] | "">("");
  const list = useList<Message, { counts: Record<Message["status"], number> }>("outbox", { status, limit: 12 }, 10);
  const delivery = useJob();
  const [busy, setBusy] = useState(false);
  const tell = useToast();
  const tellError = useTellError();
  const { mutate } = useSWRConfig();
  const counts = list.first?.counts;
  const result = delivery.job?.state === "done" ? (delivery.job.result as Delivered) : null;

  async function retryDead() {
    setBusy(true);
    try {
      const { meta } = await call<Outcomes>("outbox/retry", { method: "POST", body: { dead: true } });
      tell(words.retried(meta.ok), "good");
      list.reload();
      await mutate("queue");
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <section className={styles.part} aria-labelledby="outbox">
      <div className={styles.partHead}>
        <h2 id="outbox">{words.title}</h2>
        <div className={styles.partActions}>
          {counts && counts.dead > 0 && <Button small busy={busy} onClick={retryDead}>{words.retryDead}</Button>}
          <Button small busy={delivery.isRunning} onClick={() => delivery.begin("outbox/deliver", {})}>{words.deliver}</Button>
        </div>
      </div>
      <p className={styles.about}>{words.about}</p>
      {delivery.error && <Notice tone="bad">{delivery.error}</Notice>}
      {result && <Notice tone={result.errors.length ? "warn" : "good"} title={words.told(result.delivered, result.waiting)}>{result.errors.map((each) => <p key={each}>{each}</p>)}</Notice>}
      <div className={styles.choice} role="group" aria-label={words.title}>
        <button type="button" aria-pressed={status === ""} onClick={() => setStatus("")}>{texts.studio.queue.all}</button>
        {STATES.map((each) => (
          <button key={each} type="button" aria-pressed={status === each} onClick={() => setStatus(each)}>
            {words.status[each]} {counts && number(counts[each] ?? 0)}
          </button>
        ))}
      </div>
      {list.error && <Failed error={list.error} again={list.reload} />}
      {list.isFirstLoad ? (
        <Skeleton rows={3} />
      ) : list.rows.length === 0 ? (
        <p className={styles.none}>{words.none}</p>
      ) : (
        <ul className={styles.lines}>
          {list.rows.map((each) => (
            <li key={each.id}>
              <Badge tone={TONES[each.status]}>{words.status[each.status]}</Badge>
              <span className={styles.lineText}>
                {words.kinds[each.kind]} <code>{each.subject}</code>
                {each.last_error && <small>{each.last_error}</small>}
              </span>
              <time dateTime={each.created_at} title={at(each.created_at)}>{ago(each.created_at)}</time>
            </li>
          ))}
        </ul>
      )}
      {list.hasMore && <Button small look="quiet" busy={list.isLoadingMore} onClick={list.more}>{texts.studio.common.more}</Button>}
    </section>
  );
}
