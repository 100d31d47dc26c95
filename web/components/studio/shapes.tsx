"use client";
// The shape of a picture, chosen by its outline.
import { useId } from "react";
import { texts } from "@/texts";
import styles from "./shapes.module.css";

const words = texts.studio.generate;

export interface Shape {
  name: string; // "16:9"
  width: number;
  height: number;
}

export interface ShapesProps {
  shapes: Shape[];
  value: string; // "WIDTHxHEIGHT"; "": the model's own
  onChange: (size: string) => void;
}

const BOX = 28;

function Outline({ width, height }: { width: number; height: number }) {
  const scale = BOX / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  return (
    <svg viewBox={`-1 -1 ${BOX + 2} ${BOX + 2}`} aria-hidden="true">
      <rect x={(BOX - w) / 2} y={(BOX - h) / 2} width={w} height={h} rx="1.5" />
    </svg>
  );
}

export function Shapes({ shapes, value, onChange }: ShapesProps) {
  const name = useId();
  const all = [
    { value: "", label: words.ownShape, title: words.ownShapeHint, width: 1, height: 1 },
    ...shapes.map(({ name: label, width, height }) => ({ value: `${width}x${height}`, label, title: `${width} × ${height}`, width, height })),
  ];
  return (
    <fieldset className={styles.shapes}>
      <legend>{words.shape}</legend>
      <div className={styles.row}>
        {all.map((each) => (
          <label key={each.value} className={styles.shape} title={each.title}>
            <input type="radio" name={name} checked={value === each.value} onChange={() => onChange(each.value)} />
            <span className={each.value ? undefined : styles.own}>
              <Outline width={each.width} height={each.height} />
              {each.label}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
