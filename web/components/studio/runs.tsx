"use client";
// The runs that draw and publish, each with its way into Dagster.
import useSWR from "swr";
import { ago, at, number } from "@/lib/studio/format";
import { useOptions } from "@/lib/studio/options";
import { texts } from "@/texts";
import { Badge, Failed, Skeleton } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.runs;

export interface Run {
  run_id: string;
  state?: string;
  alive?: boolean | null;
  started_at: string | null;
  last_event_at?: string | null;
  prompts?: number;
  published?: number;
  failed?: number;
  url?: string | null;
}

export function Runs() {
  const { data, error, mutate } = useSWR<{ data: Run[] }, Error>("runs?limit=12", { refreshInterval: 10_000 });
  const options = useOptions();
  return (
    <section className={styles.part} aria-labelledby="runs">
      <div className={styles.partHead}>
        <h2 id="runs">{words.title}</h2>
        {options?.dagster_url && <a href={options.dagster_url} target="_blank" rel="noreferrer">{words.dagster}</a>}
      </div>
      <p className={styles.about}>{words.about}</p>
      {error && <Failed error={error} again={() => void mutate()} />}
      {!data && !error && <Skeleton rows={3} />}
      {data && data.data.length === 0 && <p className={styles.none}>{words.none}</p>}
      {data && data.data.length > 0 && (
        <ul className={styles.lines}>
          {data.data.map((each) => (
            <li key={each.run_id}>
              <Badge tone={each.alive ? "busy" : "plain"}>{each.alive ? words.alive : words.over}</Badge>
              <span className={styles.lineText}>
                {each.url ? <a href={each.url} target="_blank" rel="noreferrer"><code>{each.run_id.slice(0, 8)}</code></a> : <code>{each.run_id.slice(0, 8)}</code>}{" "}
                {each.prompts !== undefined && words.prompts(number(each.prompts), each.prompts)}
              </span>
              {each.started_at && <time dateTime={each.started_at} title={at(each.started_at)}>{ago(each.started_at)}</time>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
