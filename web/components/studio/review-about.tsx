"use client";
// What a person needs to know to decide about a picture.
import Link from "next/link";
import { ago, at } from "@/lib/studio/format";
import type { Waiting } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Badge, Notice } from "./ui";
import styles from "./review.module.css";

const words = texts.studio.review;

export function About({ item }: { item: Waiting }) {
  return (
    <div className={styles.about}>
      {item.title && <h2 dir="auto">{item.title}</h2>}
      <p className={styles.prompt} dir="auto" tabIndex={0}>{item.prompt}</p>
      {item.negative_prompt && (
        <p className={styles.negative} dir="auto" tabIndex={0}>
          <span>{words.without}</span> {item.negative_prompt}
        </p>
      )}
      {item.reason && <Notice tone="warn">{item.reason}</Notice>}
      {item.post_shows && (
        <Notice tone="warn" action={<a href={item.post_shows} target="_blank" rel="noreferrer">{words.seeOld}</a>}>
          {words.replaces}
        </Notice>
      )}
      <Findings item={item} />
      <dl className={styles.facts}>
        <Fact name={words.size}>{item.picture.width} × {item.picture.height}</Fact>
        {item.category && <Fact name={words.category}>{item.category}</Fact>}
        {item.source && <Fact name={words.source}>{item.source}</Fact>}
        {item.drawn_at && <Fact name={words.drawn}><span title={at(item.drawn_at)}>{ago(item.drawn_at)}</span></Fact>}
        {item.publish_at && <Fact name={words.due}>{at(item.publish_at)}</Fact>}
      </dl>
      <Link className={styles.more} href={`/studio/prompts/${item.id}`} prefetch={false}>{words.lineage}</Link>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd dir="auto">{children}</dd>
    </div>
  );
}

function Findings({ item }: { item: Waiting }) {
  if (!item.findings?.length) return null;
  return (
    <ul className={styles.findings} aria-label={words.findings}>
      {item.findings.map((each) => (
        <li key={each.gate}>
          <Badge tone={each.passed === null ? "plain" : each.passed ? "good" : "bad"}>{words.judged(each.passed)}</Badge> {each.gate}: {each.detail}
        </li>
      ))}
    </ul>
  );
}
