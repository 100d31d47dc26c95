// Signing in with an API key, who is signed in, signing out.
import { NextResponse, type NextRequest } from "next/server";
import { gatewayUrl } from "@/lib/settings";
import { away, problem, refusal } from "@/lib/studio/answers";
import { forget, keep, sessionOf, shown, type Session } from "@/lib/studio/session";
import { siteHeaders, visitorOf } from "@/lib/visitors";
import { texts } from "@/texts";

const PATIENCE = 15_000;
const LARGEST = 1_000; // of a body: nobody has signed in yet
const PATH = "/api/studio/session";

interface Opened {
  data: { name: string; scopes: string[]; csrf_token: string; expires_at: string };
}

export async function POST(request: NextRequest): Promise<Response> {
  const refused = refusal(request);
  if (refused) return refused;
  const key = await keyOf(request);
  if (key === null) return problem(422, texts.studio.session.noKey);
  let answer: Response;
  try {
    answer = await ask(request, "POST", { "content-type": "application/json" }, JSON.stringify({ key }));
  } catch {
    return away();
  }
  if (answer.status === 401) return problem(401, texts.studio.session.wrongKey);
  if (!answer.ok) return problem(answer.status, await detailOf(answer));
  const { data } = (await answer.json()) as Opened;
  const cookie = answer.headers.getSetCookie().map((each) => each.split(";")[0] ?? "").find((each) => each.includes("glad-studio"));
  if (!cookie) return away();
  const session: Session = { cookie, csrf: data.csrf_token, name: data.name, scopes: data.scopes, expires: data.expires_at };
  const response = NextResponse.json({ data: shown(session) }, { headers: { "cache-control": "no-store" } });
  keep(response, request.headers, session);
  return response;
}

export function GET(request: NextRequest): Response {
  const session = refusal(request) ? null : sessionOf(request.cookies, request.headers);
  if (session === null) return problem(401, texts.studio.session.over);
  return NextResponse.json({ data: shown(session) }, { headers: { "cache-control": "no-store" } });
}

export async function DELETE(request: NextRequest): Promise<Response> {
  const refused = refusal(request);
  if (refused) return refused;
  const session = sessionOf(request.cookies, request.headers);
  if (session) {
    // The cookie is kept until the gateway has ended the session: else it would live on there, and nobody could end it.
    let answer: Response;
    try {
      answer = await ask(request, "DELETE", { cookie: session.cookie, "x-csrf-token": session.csrf });
    } catch {
      return away();
    }
    const isOver = answer.ok || answer.status === 401; // 401: it has ended by itself
    if (!isOver) return answer.status >= 500 ? away() : problem(answer.status, await detailOf(answer));
  }
  const response = new NextResponse(null, { status: 204 });
  forget(response, request.headers);
  return response;
}

function ask(request: NextRequest, method: string, more: Record<string, string>, body?: string): Promise<Response> {
  const signal = AbortSignal.timeout(PATIENCE);
  const headers = { ...siteHeaders(visitorOf(request.headers)), ...more };
  return fetch(gatewayUrl() + PATH, { method, headers, body, signal, cache: "no-store", redirect: "manual" });
}

async function keyOf(request: NextRequest): Promise<string | null> {
  if (Number(request.headers.get("content-length") ?? 0) > LARGEST) return null;
  try {
    const { key } = (await request.json()) as { key?: unknown };
    return typeof key === "string" && key.trim() !== "" && key.length <= 200 ? key.trim() : null;
  } catch {
    return null;
  }
}

async function detailOf(answer: Response): Promise<string> {
  try {
    return ((await answer.json()) as { detail: string }).detail;
  } catch {
    return texts.studio.connection.away;
  }
}
