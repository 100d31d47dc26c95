// What every page has in common before it is rendered: a content security policy with a nonce, and the statuses that a
// page cannot set: 410 of a post that was taken down, 503 while the gateway is away and nothing was kept.
import { NextResponse, type NextRequest } from "next/server";
import { pictureSources } from "@/lib/pictures";
import { stateOf } from "@/lib/state";

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
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** A page of ours under another status: a page cannot set one itself. */
async function shownAs(status: number, path: string, request: NextRequest): Promise<NextResponse> {
  const page = await fetch(new URL(path, request.nextUrl.origin), { headers: { [INNER]: "1" }, cache: "no-store" });
  return passedOn(page, status);
}

function passedOn(page: Response, status: number): NextResponse {
  const headers = new Headers();
  for (const name of ["content-type", "content-security-policy"]) {
    const value = page.headers.get(name);
    if (value) headers.set(name, value);
  }
  headers.set("cache-control", "no-store");
  if (status === 503) headers.set("retry-after", "30");
  return new NextResponse(page.body, { status, headers });
}

/** While the gateway is away: the page as it was kept, else one that says so. */
async function whileAway(request: NextRequest): Promise<NextResponse> {
  const path = request.nextUrl.pathname + request.nextUrl.search;
  const page = await fetch(new URL(path, request.nextUrl.origin), { headers: { [INNER]: "1" }, cache: "no-store" });
  return page.status < 500 ? passedOn(page, page.status) : shownAs(503, "/away", request);
}

async function answer(request: NextRequest, nonce: string): Promise<NextResponse> {
  const state = request.headers.has(INNER) ? "up" : await stateOf(request.nextUrl.pathname);
  if (state === "gone") return shownAs(410, "/gone", request);
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
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const response = await answer(request, nonce);
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "strict-origin-when-cross-origin");
  response.headers.set("x-frame-options", "DENY");
  response.headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()");
  return response;
}

export const config = { matcher: ["/((?!_next/static|_next/image|favicon.ico).*)"] };
