"use client";
// Every picture that was drawn, as a wall.
import Link from "next/link";
import { useState } from "react";
import { useOptions } from "@/lib/studio/options";
import { useList } from "@/lib/studio/list";
import { instant, short } from "@/lib/studio/format";
import type { Preview } from "@/lib/studio/types";
import { texts } from "@/texts";
import { StudioPicture } from "./studio-picture";
import { Badge, Button, Empty, Failed, Field, type Tone, WhenReady } from "./ui";
import styles from "./pictures.module.css";

const words = texts.studio.pictures;
const SIZES = "(max-width: 40rem) 46vw, (max-width: 75rem) 30vw, 18rem";
const PAGE = 36;

const STATES = ["published", "ready", "waiting", "unused", "removed"] as const;
type State = (typeof STATES)[number];
const TONES: Record<State, Tone> = { published: "good", ready: "plain", waiting: "warn", unused: "plain", removed: "bad" };

interface ImageRow {
  id: number;
  state: State;
  picture: Preview | null;
  title: string | null;
  prompt: string | null;
}

interface Filter {
  text: string;
  state: string;
  category: string;
  since: string;
  until: string;
  stale: boolean;
}

const NONE: Filter = { text: "", state: "", category: "", since: "", until: "", stale: false };

export function Pictures() {
  const [filter, setFilter] = useState(NONE);
  const options = useOptions();
  const list = useList<ImageRow>("images", {
    ...filter,
    text: filter.text.trim(),
    since: filter.since && instant(`${filter.since}T00:00`),
    until: filter.until && instant(`${filter.until}T23:59:59.999`),
    stale: filter.stale || null,
    limit: PAGE,
  });
  const isFiltered = Object.values(filter).some(Boolean);
  return (
    <div className={styles.page}>
      <h1>{words.title}</h1>
      <WhenReady>
        <Filters filter={filter} categories={(options?.blog.categories ?? []).map((each) => each.name)} set={(change) => setFilter((now) => ({ ...now, ...change }))} onClear={isFiltered ? () => setFilter(NONE) : undefined} />
      </WhenReady>
      {list.error && <Failed error={list.error} again={list.reload} />}
      {list.isFirstLoad ? (
        <Waiting />
      ) : list.rows.length === 0 && !list.error ? (
        <Empty title={isFiltered ? words.nothingFound : words.nothing} action={!isFiltered && <Link href="/studio/generate">{texts.studio.queue.nothingAction}</Link>}>
          {isFiltered ? words.nothingFoundText : words.nothingText}
        </Empty>
      ) : (
        <>
          <ul className={styles.wall}>
            {list.rows.map((each) => (
              <li key={each.id}>
                <Tile image={each} />
              </li>
            ))}
          </ul>
          {list.hasMore && <Button busy={list.isLoadingMore} onClick={list.more} className={styles.more}>{texts.studio.common.more}</Button>}
        </>
      )}
    </div>
  );
}

interface FiltersProps {
  filter: Filter;
  categories: string[];
  set: (change: Partial<Filter>) => void;
  onClear?: () => void;
}

function Filters({ filter, categories, set, onClear }: FiltersProps) {
  return (
    <div className={styles.filters}>
      <Field label={words.search}>
        {(given) => <input {...given} type="search" dir="auto" maxLength={200} placeholder={words.searchExample} value={filter.text} onChange={(event) => set({ text: event.target.value })} />}
      </Field>
      <Field label={words.state}>
        {(given) => (
          <select {...given} value={filter.state} onChange={(event) => set({ state: event.target.value })}>
            <option value="">{words.any}</option>
            {STATES.map((each) => (
              <option key={each} value={each}>{words.states[each]}</option>
            ))}
          </select>
        )}
      </Field>
      {categories.length > 0 && (
        <Field label={words.category}>
          {(given) => (
            <select {...given} value={filter.category} onChange={(event) => set({ category: event.target.value })}>
              <option value="">{words.any}</option>
              {categories.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label={words.since}>
        {(given) => <input {...given} type="date" max={filter.until || "9999-12-31"} value={filter.since} onChange={(event) => set({ since: event.target.value })} />}
      </Field>
      <Field label={words.until}>
        {(given) => <input {...given} type="date" min={filter.since || undefined} max="9999-12-31" value={filter.until} onChange={(event) => set({ until: event.target.value })} />}
      </Field>
      <label className={styles.stale}>
        <input type="checkbox" checked={filter.stale} onChange={(event) => set({ stale: event.target.checked })} /> {words.stale}
      </label>
      {onClear && <Button look="quiet" onClick={onClear}>{words.clear}</Button>}
    </div>
  );
}

function Tile({ image }: { image: ImageRow }) {
  const name = image.title || image.prompt || `#${image.id}`;
  return (
    <Link href={`/studio/pictures/${image.id}`} prefetch={false} className={styles.tile}>
      <span className={styles.frame}>
        {image.state === "removed" || !image.picture ? (
          <span className={styles.gone}>{words.states.removed}</span>
        ) : (
          <StudioPicture picture={image.picture} file={image.id} alt="" sizes={SIZES} lazy />
        )}
      </span>
      <span className={styles.name} dir="auto">{short(name, 90)}</span>
      {image.state !== "published" && image.state !== "removed" && <Badge tone={TONES[image.state]}>{words.states[image.state]}</Badge>}
    </Link>
  );
}

function Waiting() {
  return (
    <div className={styles.wall} role="status">
      <span className="visually-hidden">{texts.studio.common.loading}</span>
      {Array.from({ length: 12 }, (_, index) => (
        <span key={index} className={styles.frame} />
      ))}
    </div>
  );
}
