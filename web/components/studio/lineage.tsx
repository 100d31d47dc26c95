"use client";
// One picture with everything behind it and before it: post ← object ← picture ← prompt ← model.
import Link from "next/link";
import { useState, type ReactNode } from "react";
import useSWR from "swr";
import { at, clockAt, duration, number, short, size } from "@/lib/studio/format";
import type { CataloguedImage, Lineage as Whole, Message, One, PromptDetails, Rendition } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Facts, Values } from "./facts";
import { LineageActions } from "./lineage-actions";
import { StatusBadge } from "./status";
import { StudioPicture } from "./studio-picture";
import { runAddress, useOptions } from "@/lib/studio/options";
import { Badge, Empty, Failed, Notice, Skeleton } from "./ui";
import styles from "./lineage.module.css";

const words = texts.studio.lineage;
const SECONDS = 4;
const MOVING = new Set(["pending", "claimed", "generated"]);

export function Lineage({ id, others = [] }: { id: number; others?: { id: number; prompt: string; title: string | null }[] }) {
  const { data, error, mutate } = useSWR<One<Whole>, Error>(`prompts/${id}`, {
    refreshInterval: (now) => (now && MOVING.has(now.data.prompt.status) ? SECONDS * 1000 : 0),
  });
  if (error && !data) return <Failed error={error} again={() => void mutate()} />;
  if (!data) return <Skeleton rows={5} />;
  return (
    <>
      <Shown whole={data.data} reload={() => void mutate()} />
      {others.length > 0 && (
        <section className={styles.others}>
          <h2>{words.others}</h2>
          <ul>
            {others.map((each) => (
              <li key={each.id}>
                <Link href={`/studio/prompts/${each.id}`} prefetch={false} dir="auto">{short(each.title || each.prompt, 120)}</Link>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Shown({ whole, reload }: { whole: Whole; reload: () => void }) {
  const { prompt, image } = whole;
  return (
    <article className={styles.page}>
      <header className={styles.head}>
        <Link href="/studio/pictures" className={styles.back}>{words.all}</Link>
        <h1 dir="auto">{prompt.title || prompt.post_title || prompt.prompt}</h1>
        <p className={styles.stands}>
          <StatusBadge status={prompt.status} /> {whole.stands !== prompt.status && whole.stands}
        </p>
      </header>
      <div className={styles.columns}>
        <div className={styles.left}>
          <Shot prompt={prompt} image={image} />
          <LineageActions whole={whole} reload={reload} />
          {whole.notices.map((each) => (
            <Notice key={each} tone="warn">{each}</Notice>
          ))}
          {prompt.last_error && <Notice tone="bad" title={words.reason}>{prompt.last_error}</Notice>}
        </div>
        <Chain whole={whole} />
      </div>
      <Details whole={whole} />
    </article>
  );
}

function Shot({ prompt, image }: { prompt: PromptDetails; image: CataloguedImage | null }) {
  if (prompt.image_removed_at) {
    return <Empty title={words.removed}>{words.removedText(at(prompt.image_removed_at), prompt.image_removed_reason ?? "")}</Empty>;
  }
  if (!image) return <Empty title={words.notDrawn}>{words.notDrawnText}</Empty>;
  const alt = (typeof prompt["alt_text"] === "string" && prompt["alt_text"]) || prompt.prompt;
  return (
    <a href={image.url} target="_blank" rel="noreferrer" className={styles.shot}>
      <StudioPicture picture={{ ...image, srcset: {}, placeholder: null }} file={image.id} alt={alt} sizes="(max-width: 60rem) 100vw, 40vw" />
    </a>
  );
}

function Link_({ title, value, children }: { title: string; value: ReactNode; children?: ReactNode }) {
  return (
    <li className={styles.link}>
      <h2>{title}</h2>
      <div className={styles.value}>{value}</div>
      {children}
    </li>
  );
}

/** From what a visitor sees back to what it came of. */
function Chain({ whole }: { whole: Whole }) {
  const { prompt, image, renditions } = whole;
  return (
    <ol className={styles.chain} aria-label={words.chain}>
      <Link_ title={words.post} value={<Post prompt={prompt} />} />
      <Link_ title={words.object} value={image && !image.removed_at ? <a href={image.url} className={styles.mono}>{image.key}</a> : image ? words.deleted : words.none}>
        {image && !image.removed_at && <Objects image={image} renditions={renditions} />}
      </Link_>
      <Link_ title={words.picture} value={image ? `${image.width} × ${image.height}` : words.none}>
        {image && (
          <Facts
            facts={[
              [words.drawnIn, image.seconds === null ? null : duration(image.seconds)],
              [words.seed, prompt.seed === null ? null : String(prompt.seed)],
              [words.recipe, <span key="" className={styles.mono}>{image.recipe_hash.slice(0, 16)}</span>],
            ]}
          />
        )}
      </Link_>
      <Link_ title={words.prompt} value={<span dir="auto" className={styles.text} tabIndex={0}>{prompt.prompt}</span>}>
        <Facts
          facts={[
            [words.number, String(prompt.id)],
            [words.without, prompt.negative_prompt || null],
            [words.source, prompt.source || null],
            [words.asked, at(prompt.created_at)],
          ]}
        />
      </Link_>
      <Link_ title={words.model} value={image ? image.model : words.none}>
        {image && <Facts facts={[[words.revision, <span key="" className={styles.mono}>{image.model_revision.slice(0, 16)}</span>]]} />}
      </Link_>
    </ol>
  );
}

function Post({ prompt }: { prompt: PromptDetails }) {
  if (!prompt.post_path && !prompt.post_title) return <>{words.noPost}</>;
  const isPublic = prompt.post_status === "published";
  return (
    <>
      {isPublic && prompt.post_path ? <a href={prompt.post_path}>{prompt.post_title ?? prompt.post_path}</a> : (prompt.post_title ?? prompt.post_path)}{" "}
      {prompt.post_status && <Badge tone={isPublic ? "good" : "plain"}>{prompt.post_status}</Badge>}
    </>
  );
}

export function Objects({ image, renditions }: { image: CataloguedImage; renditions: Rendition[] }) {
  return (
    <>
      <Facts facts={[[words.size, size(image.bytes)], [words.verified, at(image.verified_at)]]} />
      {renditions.length > 0 && (
        <details className={styles.more}>
          <summary>{words.renditions(renditions.length)}</summary>
          <ul>
            {renditions.map((each) => (
              <li key={each.key}>
                {each.kind} {each.width} × {each.height}, {size(each.bytes)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

const TABS = ["recipe", "provenance", "history", "messages"] as const;

function Details({ whole }: { whole: Whole }) {
  const [open, setOpen] = useState<(typeof TABS)[number]>(whole.image ? "recipe" : "history");
  const { image } = whole;
  return (
    <section className={styles.details}>
      <div className={styles.tabs} role="group" aria-label={words.details}>
        {TABS.map((each) => (
          <button key={each} type="button" aria-pressed={open === each} onClick={() => setOpen(each)}>
            {words.tabs[each]}
          </button>
        ))}
      </div>
      {open === "recipe" && (image ? <Values values={image.recipe} /> : <p>{words.notDrawn}</p>)}
      {open === "provenance" && (image ? <Values values={image.provenance} /> : <p>{words.notDrawn}</p>)}
      {open === "history" && <History whole={whole} />}
      {open === "messages" && <Messages messages={whole.messages} />}
    </section>
  );
}

function History({ whole }: { whole: Whole }) {
  const options = useOptions();
  return (
    <ol className={styles.history}>
      {whole.history.map((each, index) => (
        <li key={`${each.at}-${each.event}-${index}`}>
          <time dateTime={each.at} title={at(each.at)}>{clockAt(each.at)}</time>
          <strong>{each.event.replaceAll("_", " ")}</strong>
          <span>
            {each.detail}
            {each.run_id && (
              <>
                {" "}
                {runAddress(options, each.run_id) ? (
                  <a href={runAddress(options, each.run_id) ?? undefined} target="_blank" rel="noreferrer">{words.run}</a>
                ) : (
                  <code>{each.run_id.slice(0, 8)}</code>
                )}
              </>
            )}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Messages({ messages }: { messages: Message[] }) {
  if (messages.length === 0) return <p>{words.noMessages}</p>;
  return (
    <ol className={styles.history}>
      {messages.map((each) => (
        <li key={each.id}>
          <time dateTime={each.created_at}>{at(each.created_at)}</time>
          <strong>{texts.studio.outbox.kinds[each.kind]}</strong>
          <span>
            {texts.studio.outbox.status[each.status]}
            {each.attempts > 1 && `, ${words.attempts(number(each.attempts))}`}
            {each.last_error && `: ${each.last_error}`}
          </span>
        </li>
      ))}
    </ol>
  );
}
