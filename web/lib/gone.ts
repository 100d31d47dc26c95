// Whether the gateway says that the post of this address was taken down. Proxy asks it at each request for a post's
// page: a page cannot set the status 410, and a message that never arrived must not keep a withdrawn post visible.
import { siteHeaders } from "./visitors";

const SECONDS = 1;
const PAUSE = 5000;
let askAgainAt = 0; // while the gateway does not answer, visitors do not wait for it at each page

export async function isGone(pathname: string, visitor: string | null): Promise<boolean> {
  const slug = /^\/posts\/([^/]+)(?:\/picture)?$/.exec(pathname)?.[1];
  if (slug === undefined || Date.now() < askAgainAt) return false;
  const gateway = (process.env.GLAD_API_URL ?? "http://127.0.0.1:8000").replace(/\/+$/, "");
  try {
    const answer = await fetch(`${gateway}/api/posts/${slug}`, {
      method: "HEAD",
      headers: siteHeaders(visitor),
      cache: "no-store",
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
    return answer.status === 410;
  } catch {
    askAgainAt = Date.now() + PAUSE;
    return false;
  }
}
