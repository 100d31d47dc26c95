import { Grid, Empty } from "@/components/Lists";
import { Lead } from "@/components/PostCard";
import { JsonLd } from "@/components/JsonLd";
import { listPosts } from "@/lib/gateway";
import { pageMetadata, siteUrl } from "@/lib/seo";
import { siteDescription, siteName } from "@/lib/settings";
import { texts } from "@/texts";
import styles from "./home.module.css";

const ON_THE_HOME_PAGE = 13; // the lead story and four rows of three

export const generateMetadata = () => pageMetadata({ path: "/" });

export default async function Home() {
  const { data, meta } = await listPosts({ limit: ON_THE_HOME_PAGE });
  const [lead, ...others] = data;
  const site = await siteUrl();
  return (
    <>
      <h1 className="visually-hidden">{siteName()}</h1>
      {lead === undefined ? (
        <Empty title={texts.blog.home.empty}>{texts.blog.home.emptyText}</Empty>
      ) : (
        <Lead post={lead} />
      )}
      {others.length > 0 && (
        <section className={styles.latest} aria-labelledby="latest">
          <div className={styles.bar}>
            <h2 id="latest">{texts.blog.home.latest}</h2>
            {meta.pagination.next !== null && <a href="/posts">{texts.blog.home.all}</a>}
          </div>
          <Grid posts={others} level="h3" />
        </section>
      )}
      <JsonLd
        data={{ "@context": "https://schema.org", "@type": "WebSite", name: siteName(), description: siteDescription(), url: site }}
      />
    </>
  );
}
