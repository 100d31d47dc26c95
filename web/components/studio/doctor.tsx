"use client";
// Everything tried from end to end: what is wrong, with its cure.
import { useJob } from "@/lib/studio/jobs";
import { texts } from "@/texts";
import { Badge, Button, Notice, type Tone } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.doctor;

interface Diagnosis {
  check: string;
  level: string;
  text: string;
  cure: string | null;
}

interface Diagnosed {
  level: string;
  checks: Diagnosis[];
}

const TONES: Record<string, Tone> = { ok: "good", warning: "warn", error: "bad", not_tested: "plain" };
const ORDER = ["error", "warning", "not_tested", "ok"];
const levelOf = (level: string): string => level.toLowerCase().replace(/[\s-]/g, "_");

export function Doctor() {
  const { job, error, isRunning, begin } = useJob();
  const result = job?.state === "done" ? (job.result as Diagnosed) : null;
  const checks = [...(result?.checks ?? [])].sort((one, other) => ORDER.indexOf(levelOf(one.level)) - ORDER.indexOf(levelOf(other.level)));
  return (
    <section className={styles.part} aria-labelledby="doctor">
      <div className={styles.partHead}>
        <h2 id="doctor">{words.title}</h2>
        <Button small busy={isRunning} onClick={() => begin("doctor", {})}>{isRunning ? words.running : words.run}</Button>
      </div>
      <p className={styles.about}>{words.about}</p>
      <div aria-live="polite">
        {isRunning && <p className={styles.none}>{job?.progress ?? words.running}</p>}
        {error && <Notice tone="bad">{error}</Notice>}
      </div>
      {result && (
        <ul className={styles.lines}>
          {checks.map((each) => (
            <li key={each.check + each.text}>
              <Badge tone={TONES[levelOf(each.level)] ?? "plain"}>{words.levels[levelOf(each.level)] ?? each.level}</Badge>
              <span className={styles.lineText}>
                <b>{each.check}</b> {each.text}
                {each.cure && <small>{each.cure}</small>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
