// What every page has in common before it is rendered: a content security policy with a nonce, and the statuses that a
// page cannot set: 410 of a post that was taken down, 503 while the gateway is away and nothing was kept.
import { createHash, randomUUID } from "node:crypto";
import { NextResponse, type NextRequest } from "next/server";
import { HOST, isOurHost, publicHost } from "@/lib/hosts";
import { pictureSources } from "@/lib/pictures";
import { stateOf, type State } from "@/lib/state";
import { visitorOf } from "@/lib/visitors";

const INNER = "x-glad-inner"; // on requests of this file to the pages
const DRAWN = randomUUID();
/** What shows that it is one: nobody else knows it, and all processes of one site do. */
const mark = () => createHash("sha256").update(`inner ${process.env.GLAD_REVALIDATE_SECRET || DRAWN}`).digest("hex");
/** Pages that only this file shows. A post's page that finds it taken down sends to the first. */
const OF_PROXY = new Map<string, State>([["/gone", "gone"], ["/away", "missing"]]);
/** Pages that a gateway which takes too long, or refuses a visitor, makes fail: what they show is not, or not yet, kept. */
const MAY_FAIL = /^\/(?:categories|tags|authors)(?:\/|$)/;
const DEVELOPMENT = process.env.NODE_ENV === "development";

function policy(nonce: string): string {
  const pictures = pictureSources().join(" ");
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${DEVELOPMENT ? " 'unsafe-eval'" : ""}`,
    // In development Next puts styles into the page itself; what is built has them in files.
    `style-src 'self'${DEVELOPMENT ? " 'unsafe-inline'" : ""}`,
    `img-src 'self' data: blob: ${pictures}`,
    "font-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Asks the pages of this very server. */
async function page(path: string, request: NextRequest): Promise<Response> {
  const headers = new Headers({ [INNER]: mark(), "x-forwarded-for": visitorOf(request.headers) ?? "" });
  headers.set(HOST, publicHost(request.headers) ?? "");
  headers.set("x-forwarded-proto", request.headers.get("x-forwarded-proto") ?? "http");
  const url = new URL(path, request.nextUrl.origin);
  // The origin is this process's own port, which speaks no TLS, with the scheme that the proxy before us has said.
  if (!process.env.VERCEL) url.protocol = "http:";
  return fetch(url, { headers, cache: "no-store", redirect: "manual" });
}

/** A page of ours under a status that it cannot set itself. */
function passedOn(made: Response, status: number): NextResponse {
  const headers = new Headers({ "cache-control": "no-store" });
  for (const name of ["content-type", "content-security-policy", "link"]) {
    const value = made.headers.get(name);
    if (value) headers.set(name, value);
  }
  if (status === 503) headers.set("retry-after", "30");
  return new NextResponse(made.body, { status, headers });
}

/** The page as far as its data is kept or can be had, else one that says so. */
async function ifItCanBeMade(request: NextRequest): Promise<NextResponse> {
  const made = await page(request.nextUrl.pathname + request.nextUrl.search, request);
  if (made.status === 307) return passedOn(await page("/gone", request), 410); // so it says of a post that was taken down
  return made.status < 500 ? passedOn(made, made.status) : passedOn(await page("/away", request), 503);
}

/** A page of a status that it cannot set itself; null: the page is rendered as usual. */
async function instead(request: NextRequest): Promise<NextResponse | null> {
  const { pathname, searchParams } = request.nextUrl;
  const state = OF_PROXY.get(pathname.replace(/\/$/, "")) ?? (await stateOf(pathname));
  // Whoever shows a mark that is none does not have us ask ourselves again and again.
  const mayAsk = !request.headers.has(INNER);
  if (state === "gone" && !mayAsk) return new NextResponse("Gone.\n", { status: 410 });
  if (state === "gone") return passedOn(await page("/gone", request), 410);
  if (state === "missing") return passedOn(await page("/missing", request), 404);
  if (state === "away" && !mayAsk) return new NextResponse("The gateway does not answer.\n", { status: 503 });
  const mayFail = MAY_FAIL.test(pathname) || (pathname === "/posts" && searchParams.has("after"));
  return state === "away" || (mayFail && mayAsk) ? ifItCanBeMade(request) : null;
}

async function answer(request: NextRequest, nonce: string, isInner: boolean): Promise<NextResponse> {
  const other = isInner ? null : await instead(request);
  if (other !== null) return other;
  const csp = policy(nonce);
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  if (!isInner) headers.set(HOST, publicHost(request.headers) ?? "");
  headers.set("content-security-policy", csp); // Next gives its own scripts the nonce that it finds here
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", csp);
  return response;
}

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const isInner = request.headers.get(INNER) === mark();
  if (!isInner && !isOurHost(request.headers.get("host")))
    return new NextResponse("This is not the host of this site: GLAD_SITE_HOSTS names those that are.\n", { status: 421 });
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const response = await answer(request, nonce, isInner);
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "strict-origin-when-cross-origin");
  response.headers.set("x-frame-options", "DENY");
  response.headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()");
  return response;
}

export const config = { matcher: ["/((?!_next/static/|favicon\\.ico$).*)"] };
