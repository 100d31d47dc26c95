"use client";
// A file of prompts: what would happen is shown before anything does.
import { useId, useRef, useState } from "react";
import { call, query, Refused } from "@/lib/studio/client";
import { number, short, size } from "@/lib/studio/format";
import type { Imported, One } from "@/lib/studio/types";
import { texts } from "@/texts";
import { useToast } from "./toasts";
import { Button, Choices, cx, Dialog, Notice } from "./ui";
import styles from "./upload.module.css";

const words = texts.studio.upload;
const LARGEST = 8 * 2 ** 20;
const PATIENCE = 300_000;

type Publish = "" | "post" | "picture";

interface How {
  skip_bad: boolean;
  ignore: "" | "*"; // columns that are no fields; by their names, one of JSON that is a field in other rows would go as well
  publish: Publish; // "": posts, but for rows that say otherwise
}

interface Tried {
  file: File;
  report?: Imported;
  problem?: string;
  rows: { where: string; reason: string }[];
  columns: string[]; // that are no fields; also while they are left out
}

/** The file that was chosen, what would become of it, and what is under way. */
function useUpload(onClose: () => void, onDone: () => void) {
  const [tried, setTried] = useState<Tried | null>(null);
  const [how, setHow] = useState<How>({ skip_bad: false, ignore: "", publish: "" });
  const [busy, setBusy] = useState<"look" | "import" | null>(null);
  const turn = useRef(0);
  const tell = useToast();

  function show(found: Tried, as: How) {
    setTried((before) => (as.ignore && before ? { ...found, columns: before.columns } : found));
  }

  function close() {
    turn.current++;
    setTried(null);
    setBusy(null);
    onClose();
  }

  async function look(file: File, as: How) {
    setHow(as);
    if (file.size > LARGEST) return setTried({ file, problem: words.tooLarge, rows: [], columns: [] });
    const mine = ++turn.current;
    setBusy("look");
    const found = await asked(file, { ...as, dry_run: true });
    if (mine !== turn.current) return; // another file was chosen meanwhile
    show(found, as);
    setBusy(null);
  }

  async function take() {
    if (!tried || busy) return;
    const mine = ++turn.current;
    setBusy("import");
    const found = await asked(tried.file, how);
    if (mine !== turn.current) return;
    setBusy(null);
    if (!found.report) return show(found, how);
    tell(words.imported(found.report.added, found.report.existing), "good");
    onDone();
    close();
  }

  return { tried, how, busy, close, look: (file: File, as: How) => void look(file, as), take: () => void take() };
}

export function Upload({ open, onClose, onDone }: { open: boolean; onClose: () => void; onDone: () => void }) {
  const { tried, how, busy, close, look, take } = useUpload(onClose, onDone);
  const refused = tried?.report && !how.skip_bad ? tried.report.refused : 0; // with one wrong row nothing is imported
  return (
    <Dialog open={open} title={words.title} wide onClose={busy === "import" ? undefined : close}>
      <div className={styles.body}>
        <Drop file={tried?.file ?? null} busy={busy} onFile={(file) => look(file, { ...how, skip_bad: false, ignore: "" })} />
        {tried && (
          <Choices
            legend={words.publish}
            value={how.publish}
            disabled={busy === "import"}
            onChange={(publish: Publish) => look(tried.file, { ...how, publish })}
            choices={[
              { value: "", label: words.publishAsSaid },
              { value: "post", label: words.publishPosts },
              { value: "picture", label: words.publishPictures },
            ]}
          />
        )}
        {tried && tried.columns.length > 0 && (
          <LeaveOut
            columns={tried.columns}
            isOn={how.ignore !== ""}
            disabled={busy === "import"}
            onChange={(isOn) => look(tried.file, { ...how, ignore: isOn ? "*" : "" })}
          />
        )}
        <div aria-live="polite" className={styles.found}>
          {tried?.report && <Report report={tried.report} skips={how.skip_bad} />}
          {tried?.problem && <Problem {...tried} problem={tried.problem} ignores={how.ignore !== ""} />}
        </div>
        <div className={styles.actions}>
          {tried?.report && refused === 0 && (
            <Button look="main" busy={busy === "import"} disabled={tried.report.added === 0} onClick={take}>
              {busy === "import" ? words.importing : words.import(tried.report.added)}
            </Button>
          )}
          {tried && refused + tried.rows.length > 0 && (
            <Button busy={busy === "look"} onClick={() => look(tried.file, { ...how, skip_bad: true })}>{words.skipBad}</Button>
          )}
          <Button look="quiet" disabled={busy === "import"} onClick={close}>{texts.studio.common.cancel}</Button>
        </div>
      </div>
    </Dialog>
  );
}

async function asked(file: File, how: How & { dry_run?: boolean }): Promise<Tried> {
  try {
    const path = `prompts/import${query({ ...how, skip_bad: how.skip_bad || null })}`;
    const { data } = await call<One<Imported>>(path, { method: "POST", body: file, patience: PATIENCE });
    return { file, report: data, rows: [], columns: data.columns };
  } catch (error) {
    const { rows = [], columns = [] } = error instanceof Refused ? (error.more as Partial<Tried>) : {};
    return { file, problem: error instanceof Error ? error.message : String(error), rows, columns };
  }
}

function Drop({ file, busy, onFile }: { file: File | null; busy: "look" | "import" | null; onFile: (file: File) => void }) {
  const [isOver, setIsOver] = useState(false);
  const isImporting = busy === "import"; // another file must not take the place of the one that is imported
  return (
    <label
      className={cx(styles.drop, isOver && styles.over)}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        const dropped = event.dataTransfer.files[0];
        if (dropped && !isImporting) onFile(dropped);
      }}
    >
      <input
        type="file"
        disabled={isImporting}
        accept=".csv,.tsv,.jsonl,.json,.txt,text/csv,text/plain,application/json"
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          event.target.value = ""; // the same file, mended, may be chosen again
          if (chosen) onFile(chosen);
        }}
      />
      <span className={styles.dropTitle}>{busy === "look" ? words.looking : file ? `${file.name}, ${size(file.size)}` : words.choose}</span>
      <span className={styles.dropHint}>{file ? words.chooseOther : words.chooseHint}</span>
    </label>
  );
}

const NAMED = 10;

/** What a file has that no prompt has: whoever leaves it out says so, and sees what is left. */
function LeaveOut({ columns, isOn, disabled, onChange }: { columns: string[]; isOn: boolean; disabled: boolean; onChange: (isOn: boolean) => void }) {
  const id = useId();
  return (
    <div className={styles.leaveOut}>
      <label>
        <input type="checkbox" checked={isOn} disabled={disabled} aria-describedby={id} onChange={(event) => onChange(event.target.checked)} />
        <span>
          {words.leaveOut(columns.length)}{" "}
          {columns.slice(0, NAMED).map((each, index) => (
            <span key={index}>
              {index > 0 && ", "}
              <bdi>{short(each, 40)}</bdi>
            </span>
          ))}
          {columns.length > NAMED && ` ${words.andMore(columns.length - NAMED)}`}
        </span>
      </label>
      <p id={id}>{words.leaveOutHint}</p>
    </div>
  );
}

function Report({ report, skips }: { report: Imported; skips: boolean }) {
  const counts = [
    [words.added, report.added],
    [words.existing, report.existing],
    [words.refused, report.refused],
  ] as const;
  return (
    <>
      <dl className={styles.counts}>
        {counts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{number(value)}</dd>
          </div>
        ))}
      </dl>
      {[...report.read, ...report.noticed].map((each) => (
        <p key={each} className={styles.read}>{each}</p>
      ))}
      {report.refused > 0 && (
        <Notice tone={skips ? "warn" : "bad"} title={skips ? words.leftOut(report.refused) : words.allRefused(report.refused)}>
          <Wrong rows={report.reasons} />
        </Notice>
      )}
      {report.first.length > 0 && <First rows={report.first} />}
    </>
  );
}

function Problem({ problem, rows, columns, ignores }: { problem: string; rows: Tried["rows"]; columns: string[]; ignores: boolean }) {
  const isOfColumns = columns.length > 0 && rows.length === 0 && !ignores;
  return (
    <Notice tone="bad" title={isOfColumns ? words.noFields(columns.length) : problem}>
      {isOfColumns && <p className={styles.why}>{problem}</p>}
      <Wrong rows={rows} />
    </Notice>
  );
}

function Wrong({ rows }: { rows: { where: string; reason: string }[] }) {
  if (rows.length === 0) return null;
  return (
    <ul className={styles.wrong} tabIndex={0} aria-label={words.wrongRows}>
      {rows.map((each) => (
        <li key={each.where + each.reason}>
          <b>{each.where}</b> {each.reason}
        </li>
      ))}
    </ul>
  );
}

function First({ rows }: { rows: Imported["first"] }) {
  return (
    <div className={styles.first} tabIndex={0} role="region" aria-label={words.first}>
      <table>
        <caption>{words.first}</caption>
        <thead>
          <tr>
            <th scope="col">{words.where}</th>
            <th scope="col">{words.prompt}</th>
            <th scope="col">{words.postTitle}</th>
            <th scope="col">{words.more}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ where, prompt, notices }) => (
            <tr key={where}>
              <td>{where}</td>
              <td dir="auto">
                {short(text(prompt["prompt"]), 140)}
                {notices.map((each) => (
                  <small key={each}>{each}</small>
                ))}
              </td>
              <td dir="auto">{short(text(prompt["title"]), 80)}</td>
              <td>{others(prompt)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const text = (value: unknown): string => (typeof value === "string" ? value : value == null ? "" : String(value));
const SHOWN = new Set(["prompt", "title", "source", "idempotency_key"]);

function others(prompt: Record<string, unknown>): string {
  const rest = Object.entries(prompt).filter(([name, value]) => !SHOWN.has(name) && value != null && value !== "");
  return rest.map(([name, value]) => `${name.replaceAll("_", " ")}: ${short(text(value), 40)}`).join(", ");
}
