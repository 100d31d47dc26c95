"use client";
// The shape of a picture, chosen by its outline.
import { useId } from "react";
import type { Size } from "@/lib/studio/options";
import { texts } from "@/texts";
import { cx } from "./ui";
import styles from "./shapes.module.css";

const words = texts.studio.generate;
const BOX = 28;
const SQUARE = { ratio: "", width: 1, height: 1, is_default: true };

export interface ShapesProps {
  sizes: Size[];
  value: string; // "WIDTHxHEIGHT"; "": the model's own
  onChange: (size: string) => void;
}

function Outline({ width, height }: { width: number; height: number }) {
  const scale = BOX / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  return (
    <svg viewBox={`-1 -1 ${BOX + 2} ${BOX + 2}`} aria-hidden="true">
      <rect x={(BOX - w) / 2} y={(BOX - h) / 2} width={w} height={h} rx="1.5" />
    </svg>
  );
}

export const nameOf = ({ width, height }: { width: number; height: number }): string => `${width}x${height}`;

/** The one that is meant; without a choice, the model's own. */
export function chosenSize(sizes: Size[], value: string): Size {
  const own = sizes.find((each) => each.is_default) ?? SQUARE;
  return value ? (sizes.find((each) => nameOf(each) === value) ?? own) : own;
}

export function Shapes({ sizes, value, onChange }: ShapesProps) {
  const name = useId();
  const chosen = chosenSize(sizes, value);
  const own = sizes.find((each) => each.is_default) ?? SQUARE;
  const all = [own, ...sizes.filter((each) => !each.is_default)];
  return (
    <fieldset className={styles.shapes}>
      <legend>{words.shape}</legend>
      <div className={styles.row}>
        {all.map((each) => (
          <label key={nameOf(each)} className={styles.shape}>
            <input
              type="radio"
              name={name}
              checked={each === chosen}
              onChange={() => onChange(each === own ? "" : nameOf(each))}
            />
            <span className={cx(each === SQUARE && styles.own)}>
              <Outline width={each.width} height={each.height} />
              {each.ratio || words.ownShape}
            </span>
          </label>
        ))}
      </div>
      {chosen.width > 1 && <p className={styles.said}>{words.pixels(chosen.width, chosen.height, chosen.is_default)}</p>}
    </fieldset>
  );
}
