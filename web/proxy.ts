// What every page has in common before it is rendered: a content security policy with a nonce, and for posts the status
// that only the gateway knows (410: taken down).
import { NextResponse, type NextRequest } from "next/server";
import { isGone } from "@/lib/gone";
import { isOurHost } from "@/lib/hosts";
import { visitorOf } from "@/lib/visitors";

const DEVELOPMENT = process.env.NODE_ENV === "development";

function policy(nonce: string): string {
  const pictures = (process.env.GLAD_IMAGE_HOSTS ?? "").split(/[\s,]+/).filter(Boolean).join(" ");
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${DEVELOPMENT ? " 'unsafe-eval'" : ""}`,
    // In development Next puts styles into the page itself; what is built has them in files.
    `style-src 'self'${DEVELOPMENT ? " 'unsafe-inline'" : ""}`,
    `img-src 'self' data: blob: ${pictures}`.trim(),
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export async function proxy(request: NextRequest): Promise<NextResponse> {
  if (!isOurHost(request.headers.get("host"))) {
    return new NextResponse("This is not the host of this site: GLAD_SITE_HOSTS names those that are.\n", { status: 421 });
  }
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const csp = policy(nonce);
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  headers.set("content-security-policy", csp); // Next gives its own scripts the nonce that it finds here
  const response = (await isGone(request.nextUrl.pathname, visitorOf(request.headers)))
    ? NextResponse.rewrite(new URL("/gone", request.url), { status: 410, request: { headers } })
    : NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", csp);
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "strict-origin-when-cross-origin");
  response.headers.set("x-frame-options", "DENY");
  response.headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()");
  return response;
}

export const config = { matcher: ["/((?!_next/static|_next/image|favicon.ico).*)"] };
