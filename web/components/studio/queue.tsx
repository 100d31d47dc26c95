"use client";
// What waits, is drawn, has failed: looked through, and moved many at a time.
import Link from "next/link";
import { useState } from "react";
import useSWR from "swr";
import { call } from "@/lib/studio/client";
import { ago, at, number, short } from "@/lib/studio/format";
import { useList } from "@/lib/studio/list";
import type { One, Outcomes, PromptRow, Queue as QueueState, Status } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Pausing } from "./pausing";
import { useMay } from "./shell";
import { StatusBadge } from "./status";
import { useTellError, useToast } from "./toasts";
import { Button, cx, Empty, Failed, Field, Skeleton, WhenReady } from "./ui";
import { Upload } from "./upload";
import styles from "./queue.module.css";

const words = texts.studio.queue;
const SECONDS = 5;
const STATES: Status[] = ["pending", "claimed", "generated", "awaiting_approval", "ready", "published", "failed", "rejected", "cancelled"];

export function Queue() {
  const [status, setStatus] = useState<Status | "">("");
  const [text, setText] = useState("");
  const [source, setSource] = useState("");
  const [uploading, setUploading] = useState(false);
  const { data: queue } = useSWR<One<QueueState>>("queue", { refreshInterval: SECONDS * 1000 });
  const list = useList<PromptRow, { counts?: Record<Status, number> | null }>(
    "prompts",
    { status, text: text.trim(), source, limit: 50 },
    SECONDS,
  );
  const choice = useChoice(list.rows);
  const counts = list.first?.counts ?? queue?.data.counts;
  const maySubmit = useMay("submit");

  return (
    <div className={styles.page}>
      <div className={styles.top}>
        <h1>{words.title}</h1>
        <div className={styles.topActions}>
          <Pausing queue={queue?.data} />
          {maySubmit && <Button onClick={() => setUploading(true)}>{words.upload}</Button>}
        </div>
      </div>
      <States status={status} counts={counts} onChange={(to) => (setStatus(to), choice.clear())} />
      <WhenReady>
        <Filters text={text} source={source} sources={queue?.data.sources.map((each) => each.source).filter((each) => each !== "*") ?? []} onText={setText} onSource={setSource} />
      </WhenReady>
      {list.error && <Failed error={list.error} again={list.reload} />}
      {list.isFirstLoad ? (
        <Skeleton rows={8} />
      ) : list.rows.length === 0 && !list.error ? (
        <Nothing isFiltered={Boolean(status || text || source)} />
      ) : (
        <>
          <Rows rows={list.rows} chosen={choice.ids} onChoose={choice.choose} onAll={choice.all} />
          {list.hasMore && (
            <Button busy={list.isLoadingMore} onClick={list.more} className={styles.more}>
              {texts.studio.common.more}
            </Button>
          )}
        </>
      )}
      {maySubmit && <Bulk choice={choice} status={status} onDone={list.reload} />}
      <Upload open={uploading} onClose={() => setUploading(false)} onDone={list.reload} />
    </div>
  );
}

interface Choice {
  ids: Set<number>;
  rows: PromptRow[];
  choose: (id: number, isChosen: boolean) => void;
  all: (isChosen: boolean) => void;
  clear: () => void;
}

function useChoice(rows: PromptRow[]): Choice {
  const [ids, setIds] = useState<Set<number>>(new Set());
  return {
    ids,
    rows: rows.filter((each) => ids.has(each.id)),
    choose: (id, isChosen) =>
      setIds((now) => {
        const next = new Set(now);
        if (isChosen) next.add(id);
        else next.delete(id);
        return next;
      }),
    all: (isChosen) => setIds(new Set(isChosen ? rows.map((each) => each.id) : [])),
    clear: () => setIds(new Set()),
  };
}

function States({ status, counts, onChange }: { status: Status | ""; counts: Partial<Record<Status, number>> | undefined; onChange: (to: Status | "") => void }) {
  const all = counts && Object.values(counts).reduce((sum, each) => sum + each, 0);
  return (
    <div className={styles.states} role="group" aria-label={words.states}>
      <button type="button" aria-pressed={status === ""} onClick={() => onChange("")}>
        {words.all} {all !== undefined && <b>{number(all)}</b>}
      </button>
      {STATES.map((each) => (
        <button key={each} type="button" aria-pressed={status === each} onClick={() => onChange(each)} className={cx(counts && !counts[each] && styles.none)}>
          {texts.studio.status[each]} {counts && <b>{number(counts[each] ?? 0)}</b>}
        </button>
      ))}
    </div>
  );
}

interface FiltersProps {
  text: string;
  source: string;
  sources: string[];
  onText: (text: string) => void;
  onSource: (source: string) => void;
}

function Filters({ text, source, sources, onText, onSource }: FiltersProps) {
  return (
    <div className={styles.filters}>
      <Field label={words.search}>
        {(given) => <input {...given} type="search" dir="auto" maxLength={200} placeholder={words.searchExample} value={text} onChange={(event) => onText(event.target.value)} />}
      </Field>
      {sources.length > 1 && (
        <Field label={words.source}>
          {(given) => (
            <select {...given} value={source} onChange={(event) => onSource(event.target.value)}>
              <option value="">{words.anySource}</option>
              {sources.filter(Boolean).map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          )}
        </Field>
      )}
    </div>
  );
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return <Empty title={words.nothingFound}>{words.nothingFoundText}</Empty>;
  return (
    <Empty title={words.nothing} action={<Link href="/studio/generate">{words.nothingAction}</Link>}>
      {words.nothingText}
    </Empty>
  );
}

interface RowsProps {
  rows: PromptRow[];
  chosen: Set<number>;
  onChoose: (id: number, isChosen: boolean) => void;
  onAll: (isChosen: boolean) => void;
}

function Rows({ rows, chosen, onChoose, onAll }: RowsProps) {
  const all = rows.length > 0 && rows.every((each) => chosen.has(each.id));
  return (
    <table className={styles.table}>
      <caption className="visually-hidden">{words.title}</caption>
      <thead>
        <tr>
          <th scope="col">
            <label className={styles.chooseAll}>
              <input type="checkbox" checked={all} onChange={(event) => onAll(event.target.checked)} />
              <span>{words.chooseAll}</span>
            </label>
          </th>
          <th scope="col">{words.prompt}</th>
          <th scope="col">{words.state}</th>
          <th scope="col">{words.source}</th>
          <th scope="col">{words.priority}</th>
          <th scope="col">{words.asked}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((each) => (
          <Row key={each.id} row={each} isChosen={chosen.has(each.id)} onChoose={onChoose} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ row, isChosen, onChoose }: { row: PromptRow; isChosen: boolean; onChoose: RowsProps["onChoose"] }) {
  return (
    <tr className={cx(isChosen && styles.chosen)}>
      <td>
        <input type="checkbox" aria-label={words.choose(row.id)} checked={isChosen} onChange={(event) => onChoose(row.id, event.target.checked)} />
      </td>
      <td className={styles.what}>
        <Link href={`/studio/prompts/${row.id}`} prefetch={false} dir="auto">
          {short(row.title || row.prompt, 110)}
        </Link>
        {row.title && <p dir="auto">{short(row.prompt, 160)}</p>}
        {row.last_error && <p className={styles.why}>{short(row.last_error, 220)}</p>}
      </td>
      <td className={styles.state}>
        <StatusBadge status={row.status} />
        {row.publish_at && row.status !== "published" && <small>{words.due(at(row.publish_at))}</small>}
      </td>
      <td data-label={words.source}>{row.source || "–"}</td>
      <td data-label={words.priority}>{row.priority}</td>
      <td data-label={words.asked}>
        <time dateTime={row.created_at} title={at(row.created_at)}>
          {ago(row.created_at)}
        </time>
      </td>
    </tr>
  );
}

/** A select that acted by itself would act at the first arrow key. */
function Priority({ busy, onSet }: { busy: boolean; onSet: (priority: number) => void }) {
  const [priority, setPriority] = useState("0");
  return (
    <span className={styles.bulkPriority}>
      <label>
        {words.priority}{" "}
        <select value={priority} onChange={(event) => setPriority(event.target.value)}>
          {PRIORITIES.map(([value, label]) => (
            <option key={value} value={value}>{label}</option>
          ))}
        </select>
      </label>
      <Button small busy={busy} onClick={() => onSet(Number(priority))} aria-label={words.setPriority}>{words.set}</Button>
    </span>
  );
}

const PRIORITIES = [
  ["10", words.high],
  ["0", words.normal],
  ["-10", words.low],
] as const;
const MAY_RETRY = new Set<Status>(["failed", "rejected", "cancelled"]);
const MAY_CANCEL = new Set<Status>(["pending", "claimed", "generated", "awaiting_approval"]);

function Bulk({ choice, status, onDone }: { choice: Choice; status: Status | ""; onDone: () => void }) {
  const [busy, setBusy] = useState<string | null>(null);
  const tell = useToast();
  const tellError = useTellError();
  const mayAll = useMay("review");

  async function act(name: string, path: string, body: object) {
    setBusy(name);
    try {
      const { data, meta } = await call<Outcomes>(path, { method: "POST", body });
      tell(words.done(meta.ok), meta.ok ? "good" : "plain");
      const refused = data.filter((each) => !each.ok);
      if (refused[0]) tell(words.refused(refused.length, refused[0].id, refused[0].detail), "bad");
      choice.clear();
      onDone();
    } catch (error) {
      tellError(error);
    } finally {
      setBusy(null);
    }
  }

  const ids = choice.rows.map((each) => each.id);
  const retries = choice.rows.filter((each) => MAY_RETRY.has(each.status)).length;
  const cancels = choice.rows.filter((each) => MAY_CANCEL.has(each.status)).length;
  if (ids.length === 0 && !(status === "failed" && mayAll)) return null;
  return (
    <div className={styles.bulk} role="region" aria-label={words.chosen(ids.length)}>
      {ids.length === 0 ? (
        <Button busy={busy === "all"} onClick={() => act("all", "prompts/retry", { all_failed: true })}>{words.retryAll}</Button>
      ) : (
        <>
          <span className={styles.bulkCount}>{words.chosen(ids.length)}</span>
          <Button small disabled={retries === 0} busy={busy === "retry"} onClick={() => act("retry", "prompts/retry", { ids })}>{words.retry}</Button>
          <Button small disabled={cancels === 0} busy={busy === "cancel"} onClick={() => act("cancel", "prompts/cancel", { ids })}>{words.cancel}</Button>
          <Priority busy={busy === "priority"} onSet={(priority) => act("priority", "prompts/priority", { ids, priority })} />
          <Button small look="quiet" onClick={choice.clear}>{words.clear}</Button>
        </>
      )}
    </div>
  );
}

