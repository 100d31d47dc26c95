// Names and their values; and a record of whatever has values, as deep as it goes.
import type { ReactNode } from "react";
import styles from "./facts.module.css";

export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  const said = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (said.length === 0) return null;
  return (
    <dl className={styles.facts}>
      {said.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Values({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className={styles.values}>
      {Object.entries(values).map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd dir="auto">{shown(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function shown(value: unknown): ReactNode {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "object" && !Array.isArray(value)) return <Values values={value as Record<string, unknown>} />;
  return Array.isArray(value) ? value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ") || "–" : String(value);
}
