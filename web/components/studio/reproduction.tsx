"use client";
// Whether a picture that was drawn again is the same, or by how much it differs, and what has changed since.
import { texts } from "@/texts";
import { Notice } from "./ui";

const words = texts.studio.lineage;

export interface Reproduced {
  bit_equal: boolean;
  difference: { share: number; largest: number; mean: number; psnr: number } | null;
  contradictions: string[];
  differing: { name: string; recorded: unknown; now: unknown }[];
}

export function Reproduction({ outcome }: { outcome: Reproduced }) {
  const { bit_equal, difference, contradictions, differing } = outcome;
  return (
    <Notice tone={bit_equal ? "good" : "warn"} title={bit_equal ? words.isEqual : words.differs}>
      {difference && <p>{words.difference(difference.share, difference.largest, difference.psnr)}</p>}
      {contradictions.map((each) => (
        <p key={each}>{each}</p>
      ))}
      {differing.length > 0 && <p>{words.changed(differing.map((each) => each.name).join(", "))}</p>}
    </Notice>
  );
}
