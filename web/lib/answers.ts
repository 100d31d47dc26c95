// Answers that are no pages: feeds, sitemaps.
import "server-only";
import { GatewayAway } from "./gateway";

// As the gateway's: ten seconds after a takedown a shared cache shows it no more.
const CACHING = "public, max-age=0, s-maxage=2, stale-while-revalidate=8";

/** The text as this type; 404 where there is none, 503 while the gateway is away. */
export async function textAnswer(type: string, made: () => Promise<string | null>): Promise<Response> {
  try {
    const text = await made();
    if (text === null) return plain(404, "There is no such file.\n");
    return new Response(text, { headers: { "content-type": type, "cache-control": CACHING } });
  } catch (error) {
    if (error instanceof GatewayAway) return plain(503, "The server that keeps the stories does not answer.\n");
    throw error;
  }
}

function plain(status: number, text: string): Response {
  const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  if (status === 503) headers["retry-after"] = "30";
  return new Response(text, { status, headers });
}
