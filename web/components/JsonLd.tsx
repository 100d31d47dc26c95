/** Data for search engines. A script of this type is no script that runs, so that the policy has no say about it. */
export function JsonLd({ data }: { data: object }) {
  const text = JSON.stringify(data).replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return <script type="application/ld+json" dangerouslySetInnerHTML={{ __html: text }} />;
}
