// What proxy has to know of a blog page before it is rendered. A post's page asks the gateway at each request, so that a
// message that never arrived keeps no withdrawn post visible; other pages ask at most every two seconds whether the
// gateway is there. The studio speaks for itself.
import { gatewayUrl } from "./settings";
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
  if (slug === undefined) return remembered ?? look();
  if (remembered === "away") return "away";
  const status = await statusOf("HEAD", `/api/posts/${slug}`);
  if (status === 410) return "gone";
  if (status === 404) return "missing";
  if (!isAway(status)) return "up";
  void look(); // one post that takes long keeps no other page from being shown; a gateway that is away does
  return "away";
}

async function look(): Promise<"up" | "away"> {
  const state = isAway(await statusOf("GET", "/readyz")) ? "away" : "up";
  last = { state, until: Date.now() + REMEMBERED };
  return state;
}

/** A redirection is no gateway: GLAD_API_URL has to name it itself. */
const isAway = (status: number) => status >= 500 || (status >= 300 && status < 400);

/** Whether what is escaped in it is text: of other bytes Next makes an error. */
function isText(pathname: string): boolean {
  try {
    return !decodeURIComponent(pathname).includes("\0");
  } catch {
    return false;
  }
}

async function statusOf(method: "GET" | "HEAD", path: string): Promise<number> {
  try {
    const answer = await fetch(gatewayUrl() + path, {
      method,
      redirect: "manual",
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
