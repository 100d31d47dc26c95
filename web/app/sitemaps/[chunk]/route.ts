import { textAnswer } from "@/lib/answers";
import { decoded } from "@/lib/paths";
import { sitemapFile } from "@/lib/sitemaps";

export async function GET(_request: Request, { params }: { params: Promise<{ chunk: string }> }): Promise<Response> {
  const { chunk } = await params;
  return textAnswer("application/xml; charset=utf-8", () => sitemapFile(decoded(chunk)));
}
