// A page that has nothing to show and says why, with the ways on.
import { texts } from "@/texts";
import styles from "./Notice.module.css";

export function Notice({ code, title, text }: { code?: string; title: string; text: string }) {
  return (
    <div className={styles.notice}>
      {code && <p className={styles.code}>{code}</p>}
      <h1>{title}</h1>
      <p className={styles.text}>{text}</p>
      <p className={styles.ways}>
        <a href="/">{texts.blog.toHome}</a>
        <a href="/posts">{texts.blog.toArchive}</a>
        <a href="/search">{texts.blog.nav.search}</a>
      </p>
    </div>
  );
}
