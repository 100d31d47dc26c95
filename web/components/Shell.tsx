// Head and foot of every page of the blog.
import { siteDescription, siteName } from "@/lib/settings";
import { texts } from "@/texts";
import styles from "./Shell.module.css";

const { common, blog } = texts;
const PLACES = [
  { href: "/posts", name: blog.nav.archive },
  { href: "/categories", name: blog.nav.categories },
  { href: "/tags", name: blog.nav.tags },
  { href: "/authors", name: blog.nav.authors },
];

export function Shell({ children }: { children: React.ReactNode }) {
  return (
    <div className={styles.page}>
      <a className="skip" href="#content">
        {common.skip}
      </a>
      <header className={styles.head}>
        <a className={styles.name} href="/" dir="auto">
          {siteName()}
        </a>
        <nav className={styles.nav} aria-label={blog.nav.label}>
          {PLACES.map(({ href, name }) => (
            <a key={href} href={href}>
              {name}
            </a>
          ))}
          <a className={styles.search} href="/search">
            <svg viewBox="0 0 20 20" width="17" height="17" aria-hidden="true">
              <circle cx="8.5" cy="8.5" r="5.5" fill="none" stroke="currentColor" strokeWidth="1.7" />
              <path d="m12.8 12.8 4.4 4.4" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" />
            </svg>
            {blog.nav.search}
          </a>
        </nav>
      </header>
      <main id="content" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <footer className={styles.foot}>
        <div>
          <p className={styles.footName} dir="auto">
            {siteName()}
          </p>
          <p dir="auto">{siteDescription()}</p>
        </div>
        <nav className={styles.footNav} aria-label={blog.nav.footLabel}>
          <a href="/feed.xml">{blog.nav.rss}</a>
          <a href="/feed.json">{blog.nav.jsonFeed}</a>
          <a href="/sitemap.xml">{blog.nav.sitemap}</a>
        </nav>
      </footer>
    </div>
  );
}
