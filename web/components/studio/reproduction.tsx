"use client";
// Whether a picture that was drawn again is the same, or by how much it differs.
import { texts } from "@/texts";
import { Notice } from "./ui";

const words = texts.studio.lineage;

export interface Reproduced {
  bit_equal: boolean;
  difference: Record<string, number> | null;
  contradictions: string[];
  differing: { name?: string; component?: string; then?: unknown; now?: unknown }[];
}

export function Reproduction({ outcome }: { outcome: Reproduced }) {
  const title = outcome.bit_equal ? words.isEqual : words.differs;
  return (
    <Notice tone={outcome.bit_equal ? "good" : "warn"} title={title}>
      {outcome.difference && (
        <p>
          {Object.entries(outcome.difference)
            .map(([name, value]) => `${name.replaceAll("_", " ")} ${Math.round(value * 1000) / 1000}`)
            .join(", ")}
        </p>
      )}
      {outcome.contradictions.map((each) => (
        <p key={each}>{each}</p>
      ))}
      {outcome.differing.length > 0 && <p>{words.changed(outcome.differing.map((each) => each.name ?? each.component ?? "").filter(Boolean).join(", "))}</p>}
    </Notice>
  );
}
