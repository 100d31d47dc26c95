"use client";
// A picture of the gateway's in the size that is shown. Where its file is gone, or cannot be had, that is said.
import { useState } from "react";
import type { Preview, Waiting } from "@/lib/studio/types";
import { texts } from "@/texts";
import styles from "./studio-picture.module.css";

const TYPES = ["avif", "webp", "jpeg", "png"] as const;

export interface StudioPictureProps {
  picture: Pick<Preview, "url" | "width" | "height" | "srcset" | "placeholder">;
  alt: string;
  sizes: string;
  className?: string;
  lazy?: boolean;
}

export function StudioPicture({ picture, alt, sizes, className, lazy }: StudioPictureProps) {
  const [isLost, setLost] = useState(false);
  if (isLost) {
    return (
      <div className={styles.lost} role="img" aria-label={alt}>
        {texts.studio.common.pictureLost}
      </div>
    );
  }
  return (
    <picture className={styles.picture}>
      {TYPES.filter((type) => picture.srcset[type]).map((type) => (
        <source key={type} type={`image/${type}`} srcSet={picture.srcset[type]} sizes={sizes} />
      ))}
      <img
        src={picture.url}
        alt={alt}
        width={picture.width}
        height={picture.height}
        className={className}
        loading={lazy ? "lazy" : "eager"}
        decoding="async"
        onError={() => setLost(true)}
      />
    </picture>
  );
}

/** Has the browser fetch a picture that is shown next, in the format and size in which it will be. */
export function preload({ picture }: Waiting, sizes: string): void {
  const image = new Image();
  const best = TYPES.find((type) => picture.srcset[type]);
  image.sizes = sizes;
  if (best) image.srcset = picture.srcset[best] ?? "";
  else image.src = picture.url;
}
