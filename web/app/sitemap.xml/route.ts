import { textAnswer } from "@/lib/answers";
import { sitemapIndex } from "@/lib/sitemaps";

export const GET = () => textAnswer("application/xml; charset=utf-8", sitemapIndex);
