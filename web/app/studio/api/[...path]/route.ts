// The way from the studio's pages to the gateway: the session is added here, and everything else is handed on as it is.
import type { NextRequest } from "next/server";
import { gatewayUrl } from "@/lib/settings";
import { away, problem, refusal } from "@/lib/studio/answers";
import { gatewayPath } from "@/lib/studio/routes";
import { sessionOf } from "@/lib/studio/session";
import { siteHeaders, visitorOf } from "@/lib/visitors";
import { texts } from "@/texts";

const HANDED_ON = ["content-type", "idempotency-key", "last-event-id", "accept"];
const HANDED_BACK = ["content-type", "retry-after", "location", "content-length", "etag"];
const LARGEST = 8 * 2 ** 20; // of a file of prompts, as the gateway has it
const PATIENCE = 30_000;
const IMPORT_PATIENCE = 300_000;

async function handOn(request: NextRequest, context: { params: Promise<{ path: string[] }> }): Promise<Response> {
  const refused = refusal(request);
  if (refused) return refused;
  const own = (await context.params).path.join("/");
  const path = gatewayPath(request.method, own);
  if (path === null) return problem(404, texts.studio.session.noRoute);
  const session = sessionOf(request.cookies, request.headers);
  if (session === null) return problem(401, texts.studio.session.over);
  if (Number(request.headers.get("content-length") ?? 0) > LARGEST) return problem(413, texts.studio.upload.tooLarge);
  try {
    return handedBack(await asked(request, path, session), own);
  } catch {
    return away();
  }
}

async function asked(request: NextRequest, path: string, session: { cookie: string; csrf: string }): Promise<Response> {
  const headers = new Headers({ ...siteHeaders(visitorOf(request.headers)), cookie: session.cookie });
  for (const name of HANDED_ON) {
    const value = request.headers.get(name);
    if (value) headers.set(name, value);
  }
  const changes = request.method !== "GET";
  if (changes) headers.set("x-csrf-token", session.csrf);
  const isStream = path.endsWith("/events") || path.endsWith("/file");
  const patience = AbortSignal.timeout(path.endsWith("/import") ? IMPORT_PATIENCE : PATIENCE);
  return fetch(gatewayUrl() + path + request.nextUrl.search, {
    method: request.method,
    headers,
    body: changes ? await request.arrayBuffer() : undefined,
    signal: isStream ? request.signal : AbortSignal.any([request.signal, patience]),
    cache: "no-store",
    redirect: "manual",
  });
}

function handedBack(answer: Response, own: string): Response {
  const headers = new Headers({ "cache-control": "private, no-store, no-transform", "x-accel-buffering": "no" });
  for (const name of HANDED_BACK) {
    const value = answer.headers.get(name);
    if (value && !(name === "content-length" && answer.headers.has("content-encoding"))) headers.set(name, value);
  }
  if (own.endsWith("/file")) headers.set("content-disposition", "inline");
  return new Response(answer.body, { status: answer.status, headers });
}

export const GET = handOn;
export const POST = handOn;
export const PATCH = handOn;
