"use client";
// One picture of the library: by the prompt that has it now, or where none has, by itself.
import Link from "next/link";
import useSWR from "swr";
import { at, duration } from "@/lib/studio/format";
import type { CataloguedImage, Message, One, Preview, Rendition, Status } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Facts, Values } from "./facts";
import { Lineage, Objects } from "./lineage";
import { StudioPicture } from "./studio-picture";
import { Empty, Failed, Skeleton } from "./ui";
import styles from "./lineage.module.css";

const words = texts.studio.lineage;

interface Whole {
  image: CataloguedImage;
  picture: Preview | null;
  renditions: Rendition[];
  prompts: { id: number; status: Status; title: string | null; prompt: string }[];
  messages: Message[];
}

export function OnePicture({ id }: { id: number }) {
  const { data, error, mutate } = useSWR<One<Whole>, Error>(`images/${id}`);
  if (error && !data) return <Failed error={error} again={() => void mutate()} />;
  if (!data) return <Skeleton rows={5} />;
  const [newest, ...others] = data.data.prompts;
  return newest ? <Lineage id={newest.id} others={others} /> : <Alone whole={data.data} />;
}

function Alone({ whole }: { whole: Whole }) {
  const { image, picture, renditions } = whole;
  const text = String(image.recipe["prompt"] ?? image.key);
  return (
    <article className={styles.page}>
      <header className={styles.head}>
        <Link href="/studio/pictures" className={styles.back}>{words.all}</Link>
        <h1 dir="auto">{text}</h1>
        <p className={styles.stands}>{words.unused}</p>
      </header>
      <div className={styles.columns}>
        {image.removed_at || !picture ? (
          <Empty title={words.removed}>{image.removed_at && words.removedText(at(image.removed_at), "")}</Empty>
        ) : (
          <a href={image.url} target="_blank" rel="noreferrer" className={styles.shot}>
            <StudioPicture picture={picture} file={image.id} alt={text} sizes="(max-width: 60rem) 100vw, 50vw" />
          </a>
        )}
        <div className={styles.left}>
          <p className={styles.mono}>{image.key}</p>
          {!image.removed_at && <Objects image={image} renditions={renditions} />}
          <Facts facts={[[words.model, image.model], [words.drawnIn, image.seconds === null ? null : duration(image.seconds)]]} />
        </div>
      </div>
      <section className={styles.details}>
        <h2>{words.tabs.recipe}</h2>
        <Values values={image.recipe} />
        <h2>{words.tabs.provenance}</h2>
        <Values values={image.provenance} />
      </section>
    </article>
  );
}
