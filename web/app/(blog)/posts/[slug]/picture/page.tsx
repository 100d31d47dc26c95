import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { Day } from "@/components/Day";
import { JsonLd } from "@/components/JsonLd";
import { isShown, Picture } from "@/components/Picture";
import { titleOf } from "@/lib/format";
import { aboutPicture } from "@/lib/gateway";
import { picturePath, postPath } from "@/lib/paths";
import { postOf, type Params } from "@/lib/post-page";
import { imageObject, pageMetadata } from "@/lib/seo";
import type { AboutPicture } from "@/lib/types";
import { texts } from "@/texts";
import styles from "./picture.module.css";

const words = texts.blog.picture;

export async function generateMetadata({ params }: { params: Params }): Promise<Metadata> {
  const post = await postOf(params);
  const title = `${words.title}: ${titleOf(post, texts.blog.untitled)}`;
  return pageMetadata({ title, description: post.picture?.alt || words.intro, path: picturePath(post.slug) });
}

export default async function About({ params }: { params: Params }) {
  const post = await postOf(params);
  const about = await aboutPicture(post.slug);
  if (about === null || !isShown(post.picture)) notFound();
  const data = await imageObject(post, about);
  return (
    <article className={styles.about}>
      <div className={styles.picture}>
        <Picture picture={post.picture} sizes="(max-width: 56rem) 92vw, 44rem" first />
      </div>
      <div className={styles.words}>
        <h1>{words.title}</h1>
        <p className={styles.intro}>{words.intro}</p>
        <Facts about={about} />
        <p className={styles.story}>
          {words.of}
          <a href={postPath(post.slug)} dir="auto">
            {titleOf(post, texts.blog.untitled)}
          </a>
        </p>
      </div>
      {data && <JsonLd data={{ "@context": "https://schema.org", ...data }} />}
    </article>
  );
}

function Facts({ about }: { about: AboutPicture }) {
  return (
    <dl className={styles.facts}>
      {about.prompt && <Fact name={words.prompt}>{about.prompt}</Fact>}
      {about.alt && <Fact name={words.alt}>{about.alt}</Fact>}
      <Fact name={words.model}>{about.model.name}</Fact>
      {about.model.license && <Fact name={words.modelLicense}>{about.model.license}</Fact>}
      <Fact name={words.drawn}>
        <Day iso={about.drawn_at} />
      </Fact>
      <Fact name={words.size}>{words.pixels(about.width, about.height)}</Fact>
      {about.credit && <Fact name={words.credit}>{about.credit}</Fact>}
      <License about={about} />
      <Fact name={words.source}>
        <a href={about.digital_source_type} rel="noopener">
          {words.sourceName}
        </a>
      </Fact>
      <Fact name={words.file}>
        <a href={about.url}>{words.original}</a>
      </Fact>
    </dl>
  );
}

function License({ about }: { about: AboutPicture }) {
  const name = about.license_name ?? about.license;
  if (!name) return null;
  return (
    <Fact name={words.license}>
      {about.license && /^https?:\/\//.test(about.license) ? (
        <a href={about.license} rel="license noopener">
          {name}
        </a>
      ) : (
        name
      )}
    </Fact>
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
