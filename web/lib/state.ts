// What proxy has to know of a blog page before it is rendered. A post's page asks the gateway at each request, so that a
// message that never arrived keeps no withdrawn post visible; other pages ask at most every two seconds whether the
// gateway is there. The studio speaks for itself.
import { siteHeaders } from "./visitors";

export type State = "up" | "gone" | "missing" | "away";

const PATIENCE = 1500;
const REMEMBERED = 2000;
const NOT_THE_BLOG = /^\/(?:studio|api|gone|away|_next)(?:\/|$)|\.[a-z]+$/;
const OF_A_POST = /^\/posts\/([^/]+)(?:\/picture)?$/;
let last: { state: "up" | "away"; until: number } = { state: "up", until: 0 };

export async function stateOf(pathname: string): Promise<State> {
  if (!isText(pathname)) return "missing";
  const slug = OF_A_POST.exec(pathname)?.[1];
  if (slug === undefined && NOT_THE_BLOG.test(pathname)) return "up";
  const remembered = Date.now() < last.until ? last.state : null;
  if (remembered === "away" || (remembered && slug === undefined)) return remembered;
  const status = slug === undefined ? await statusOf("GET", "/readyz") : await statusOf("HEAD", `/api/posts/${slug}`);
  last = { state: status >= 500 ? "away" : "up", until: Date.now() + REMEMBERED };
  if (slug !== undefined && status === 410) return "gone";
  return slug !== undefined && status === 404 ? "missing" : last.state;
}

/** Whether what is escaped in it is text: of other bytes Next makes an error. */
function isText(pathname: string): boolean {
  try {
    return !decodeURIComponent(pathname).includes("\0");
  } catch {
    return false;
  }
}

async function statusOf(method: "GET" | "HEAD", path: string): Promise<number> {
  const gateway = (process.env.GLAD_API_URL ?? "http://127.0.0.1:8000").replace(/\/+$/, "");
  try {
    const answer = await fetch(gateway + path, {
      method,
      headers: siteHeaders(),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 503;
  }
}
