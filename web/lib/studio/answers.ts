// What the studio's own routes have in common: who may call them, and their errors, which are problems as the gateway's.
import "server-only";
import { NextResponse } from "next/server";
import { texts } from "@/texts";

const TITLES: Record<number, string> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  413: "Content Too Large",
  422: "Unprocessable Content",
  503: "Service Unavailable",
};

export function problem(status: number, detail: string, more: Record<string, unknown> = {}): NextResponse {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  const body = { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, ...more };
  return new NextResponse(JSON.stringify(body), { status, headers });
}

export function away(): NextResponse {
  const answer = problem(503, texts.studio.connection.away, { away: true });
  answer.headers.set("retry-after", "5");
  return answer;
}

/** A page of another origin calls nothing here, and what changes something also needs a header that no form can send. */
export function refusal(request: Request): NextResponse | null {
  const { headers, method } = request;
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return problem(403, texts.studio.session.foreign);
  if (method === "GET" || method === "HEAD") return null;
  const host = headers.get("x-forwarded-host") ?? headers.get("host");
  const isOurs = hostOf(headers.get("origin")) === host && host !== null;
  return isOurs && headers.get("x-glad-studio") === "1" ? null : problem(403, texts.studio.session.foreign);
}

function hostOf(origin: string | null): string | null {
  try {
    return origin === null ? null : new URL(origin).host;
  } catch {
    return null;
  }
}
