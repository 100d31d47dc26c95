"use client";
// A picture of the gateway's in the size that is shown: from its public address, and where that does not answer from the
// store through the gateway. Where its file is gone, that is said.
import { useState } from "react";
import type { Preview, Waiting } from "@/lib/studio/types";
import { texts } from "@/texts";
import styles from "./studio-picture.module.css";

const GATEWAY_WIDTH = 1_280; // of the copy that is asked for
const TYPES = ["avif", "webp", "jpeg", "png"] as const;

export interface StudioPictureProps {
  picture: Pick<Preview, "url" | "width" | "height" | "srcset" | "placeholder">;
  file?: number; // the picture's id, where it can be had through the gateway
  alt: string;
  sizes: string;
  className?: string;
  lazy?: boolean;
}

export function StudioPicture({ picture, file, alt, sizes, className, lazy }: StudioPictureProps) {
  const [way, setWay] = useState<"public" | "gateway" | "lost">("public");
  if (way === "lost") {
    return (
      <div className={styles.lost} role="img" aria-label={alt}>
        {texts.studio.common.pictureLost}
      </div>
    );
  }
  return (
    <picture className={styles.picture}>
      {TYPES.filter((type) => way === "public" && picture.srcset[type]).map((type) => (
        <source key={type} type={`image/${type}`} srcSet={picture.srcset[type]} sizes={sizes} />
      ))}
      <img
        src={way === "public" ? picture.url : `/studio/api/images/${file}/file?size=${GATEWAY_WIDTH}`}
        alt={alt}
        width={picture.width}
        height={picture.height}
        className={className}
        loading={lazy ? "lazy" : "eager"}
        decoding="async"
        onError={() => setWay(way === "public" && file !== undefined ? "gateway" : "lost")}
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
