// What every page has in common before it is rendered: a content security policy with a nonce, and the statuses that a
// page cannot set: 410 of a post that was taken down, 503 while the gateway is away and nothing was kept.
import { NextResponse, type NextRequest } from "next/server";
import { isOurHost } from "@/lib/hosts";
import { pictureSources } from "@/lib/pictures";
import { stateOf } from "@/lib/state";
import { visitorOf } from "@/lib/visitors";

const INNER = "x-glad-inner"; // on requests of this file to the pages
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
  const headers = { [INNER]: "1", "x-forwarded-for": visitorOf(request.headers) ?? "" };
  return fetch(new URL(path, request.nextUrl.origin), { headers, cache: "no-store" });
}

/** A page of ours under a status that it cannot set itself. */
function passedOn(made: Response, status: number): NextResponse {
  const headers = new Headers({ "cache-control": "no-store" });
  for (const name of ["content-type", "content-security-policy"]) {
    const value = made.headers.get(name);
    if (value) headers.set(name, value);
  }
  if (status === 503) headers.set("retry-after", "30");
  return new NextResponse(made.body, { status, headers });
}

/** While the gateway is away: the page as far as its data was kept, else one that says so. */
async function whileAway(request: NextRequest): Promise<NextResponse> {
  const made = await page(request.nextUrl.pathname + request.nextUrl.search, request);
  return made.status < 500 ? passedOn(made, made.status) : passedOn(await page("/away", request), 503);
}

async function answer(request: NextRequest, nonce: string): Promise<NextResponse> {
  const state = request.headers.has(INNER) ? "up" : await stateOf(request.nextUrl.pathname);
  if (state === "gone") return passedOn(await page("/gone", request), 410);
  if (state === "missing") return passedOn(await page("/missing", request), 404);
  if (state === "away") return whileAway(request);
  const csp = policy(nonce);
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  headers.set("content-security-policy", csp); // Next gives its own scripts the nonce that it finds here
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", csp);
  return response;
}

export async function proxy(request: NextRequest): Promise<NextResponse> {
  if (!isOurHost(request.headers.get("host")))
    return new NextResponse("This is not the host of this site: GLAD_SITE_HOSTS names those that are.\n", { status: 421 });
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const response = await answer(request, nonce);
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "strict-origin-when-cross-origin");
  response.headers.set("x-frame-options", "DENY");
  response.headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()");
  return response;
}

export const config = { matcher: ["/((?!_next/static|_next/image|favicon.ico).*)"] };
