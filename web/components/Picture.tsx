// A picture of a post: the renditions that the gateway names, with its size, so that nothing moves when it comes, and
// under it a placeholder of a few pixels. No inline style: the policy allows none.
import { isAllowed } from "@/lib/pictures";
import type { Picture as Data } from "@/lib/types";
import styles from "./Picture.module.css";

interface Props {
  picture: Data;
  sizes: string;
  alt?: string; // where the page says it already: ""
  first?: boolean; // the picture that a visitor sees first
  crop?: "wide" | "card" | "square"; // absent: whole
}

export function isShown(picture: Data | null): picture is Data {
  return picture !== null && isAllowed(picture.url);
}

export function Picture({ picture, sizes, alt, first, crop }: Props) {
  const size = picture.width && picture.height ? { width: picture.width, height: picture.height } : {};
  return (
    <span className={`${styles.frame} ${styles[crop ?? shape(picture)] ?? ""}`} data-shape={crop || shape(picture) === "whole" ? undefined : shape(picture)}>
      {picture.placeholder && isAllowed(picture.placeholder) && (
        <img className={styles.placeholder} src={picture.placeholder} alt="" {...size} />
      )}
      <picture>
        {Object.entries(picture.srcset).map(([format, srcset]) => (
          <source key={format} type={`image/${format}`} srcSet={srcset} sizes={sizes} />
        ))}
        <img
          className={styles.image}
          src={picture.url}
          alt={alt ?? picture.alt ?? ""}
          {...size}
          loading={first ? "eager" : "lazy"}
          decoding="async"
          fetchPriority={first ? "high" : "auto"}
        />
      </picture>
    </span>
  );
}

/** How a picture is shown whole: drawn much larger than it is it would be a blur, and a tall one fills no screen. */
function shape({ width, height }: Data): "whole" | "small" | "tall" | "unknown" {
  if (!width || !height) return "unknown";
  if (width <= 400) return "small";
  return height > width * 1.1 ? "tall" : "whole";
}
