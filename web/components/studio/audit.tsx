"use client";
// Bucket and database, compared both ways.
import { useJob } from "@/lib/studio/jobs";
import { number } from "@/lib/studio/format";
import { texts } from "@/texts";
import { Badge, Button, Notice } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.audit;

interface Finding {
  found: number;
  mended?: number;
  examples: string[];
}

interface Audited {
  clean: boolean;
  objects: number;
  pictures: number;
  faults: Record<string, Finding>;
  notes: Record<string, Finding>;
}

export function Audit() {
  const { job, error, isRunning, begin } = useJob();
  const result = job?.state === "done" ? (job.result as Audited) : null;
  const found = (kinds: Record<string, Finding>) => Object.entries(kinds).filter(([, each]) => each.found > 0);
  return (
    <section className={styles.part} aria-labelledby="audit">
      <div className={styles.partHead}>
        <h2 id="audit">{words.title}</h2>
        <Button small busy={isRunning} onClick={() => begin("audit", {})}>{isRunning ? words.running : words.run}</Button>
      </div>
      <p className={styles.about}>{words.about}</p>
      <div aria-live="polite">
        {isRunning && <p className={styles.none}>{job?.progress ?? words.running}</p>}
        {error && <Notice tone="bad">{error}</Notice>}
        {result && <Notice tone={result.clean ? "good" : "bad"} title={result.clean ? words.clean : words.notClean}>{words.compared(number(result.objects), number(result.pictures))}</Notice>}
      </div>
      {result && (
        <ul className={styles.lines}>
          {found(result.faults).map(([kind, each]) => (
            <li key={kind}>
              <Badge tone="bad">{number(each.found)}</Badge>
              <span className={styles.lineText}>
                <b>{kind.replaceAll("_", " ")}</b>
                {each.examples.slice(0, 3).map((example) => <small key={example}>{example}</small>)}
              </span>
            </li>
          ))}
          {found(result.notes).map(([kind, each]) => (
            <li key={kind}>
              <Badge>{number(each.found)}</Badge>
              <span className={styles.lineText}>{kind.replaceAll("_", " ")}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
