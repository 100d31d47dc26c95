import { siteUrl } from "@/lib/seo";

export async function GET(): Promise<Response> {
  const text = `User-agent: *
Allow: /
Disallow: /studio
Disallow: /api/
Disallow: /search?

Sitemap: ${await siteUrl()}/sitemap.xml
`;
  return new Response(text, { headers: { "content-type": "text/plain; charset=utf-8" } });
}
