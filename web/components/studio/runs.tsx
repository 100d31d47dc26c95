"use client";
// The runs that draw and publish, each with its way into Dagster.
import useSWR from "swr";
import { ago, at, number } from "@/lib/studio/format";
import { useOptions } from "@/lib/studio/options";
import { texts } from "@/texts";
import { Badge, Failed, Skeleton } from "./ui";
import styles from "./health.module.css";

const words = texts.studio.runs;

interface Run {
  run_id: string;
  since: string;
  last_at: string;
  is_alive: boolean;
  in_hand: number;
  claimed: number;
  stored: number;
  published: number;
  rejected: number;
  failed: number;
  dagster_url: string | null;
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
              <Badge tone={each.is_alive ? "busy" : "plain"}>{each.is_alive ? words.alive : words.over}</Badge>
              <span className={styles.lineText}>
                {words.told(number(each.claimed), number(each.published))}
                {each.in_hand > 0 && `, ${words.inHand(number(each.in_hand))}`}
                {each.rejected + each.failed > 0 && `, ${words.notDrawn(number(each.rejected + each.failed))}`}
                <small>
                  {each.dagster_url ? (
                    <a href={each.dagster_url} target="_blank" rel="noreferrer">{words.inDagster}</a>
                  ) : (
                    <code>{each.run_id.slice(0, 8)}</code>
                  )}
                </small>
              </span>
              <time dateTime={each.last_at} title={at(each.last_at)}>{ago(each.last_at)}</time>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
