// The studio's session. The gateway's session and CSRF token are in one cookie that no script can read; an API key is
// seen once, at the sign-in, and kept nowhere.
import "server-only";
import { createHash } from "node:crypto";
import type { NextResponse } from "next/server";
import { gatewayUrl } from "@/lib/settings";

export interface Session {
  cookie: string; // the gateway's, NAME=VALUE
  csrf: string;
  name: string; // of the key. This and the next are for showing: what may be done the gateway decides
  scopes: string[];
  expires: string;
}

interface Heads {
  get(name: string): string | null;
}

interface Jar {
  get(name: string): { value: string } | undefined;
}

function isSecure(headers: Heads): boolean {
  return (headers.get("x-forwarded-proto") ?? "").split(",")[0]?.trim() === "https";
}

/** Cookies know no ports: two sites on one machine, each with a gateway of its own, have two names. */
function nameOf(headers: Heads): string {
  const mark = createHash("sha256").update(gatewayUrl()).digest("hex").slice(0, 8);
  return `${isSecure(headers) ? "__Host-" : ""}glad-web-${mark}`;
}

export function sessionOf(jar: Jar, headers: Heads): Session | null {
  const text = jar.get(nameOf(headers))?.value;
  if (!text) return null;
  try {
    const found = JSON.parse(Buffer.from(text, "base64url").toString()) as Session;
    const isWhole = /^[\w-]+=[\w.~-]+$/.test(found.cookie) && /^[\w.~-]+$/.test(found.csrf) && Array.isArray(found.scopes);
    return isWhole && Date.parse(found.expires) > Date.now() ? found : null;
  } catch {
    return null;
  }
}

export function keep(response: NextResponse, headers: Heads, session: Session): void {
  set(response, headers, Buffer.from(JSON.stringify(session)).toString("base64url"), new Date(session.expires));
}

export function forget(response: NextResponse, headers: Heads): void {
  set(response, headers, "", new Date(0));
}

function set(response: NextResponse, headers: Heads, value: string, expires: Date): void {
  const secure = isSecure(headers);
  response.cookies.set(nameOf(headers), value, { httpOnly: true, sameSite: "lax", secure, path: "/", expires });
}

/** What the browser may know of it. */
export function shown({ name, scopes, expires }: Session) {
  return { name, scopes, expires };
}
