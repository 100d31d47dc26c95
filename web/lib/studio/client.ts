"use client";
// How the studio's pages ask this server. Where the session is over, a request waits until somebody has signed in again
// and is then asked anew: whoever fills in a form loses nothing.
import { texts } from "@/texts";

const PATIENCE = 45_000;

/** An answer that is no success, in the gateway's own words. */
export class Refused extends Error {
  constructor(
    readonly status: number, // 0: there was no answer
    detail: string,
    readonly more: Record<string, unknown> = {},
  ) {
    super(detail);
  }

  get isAway(): boolean {
    return this.status === 0 || this.status === 503;
  }
}

export interface Ask {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown; // JSON, but for a file
  keepalive?: boolean; // it is sent though the page is being left
  patience?: number; // milliseconds
  quiet?: boolean; // asked beside what somebody does: where the session is over, a line says so, and no dialog comes up
}

type SignIn = () => Promise<boolean>;
let signIn: SignIn | null = null;
let asking: Promise<boolean> | null = null;
let isDeclined = false; // the dialog was closed without signing in: what is asked again by itself does not open it again

/** Who asks for the key again when a session is over. */
export function onSessionOver(ask: SignIn): () => void {
  signIn = ask;
  return () => {
    if (signIn === ask) signIn = null;
  };
}

export async function call<T>(path: string, ask: Ask = {}): Promise<T> {
  const answer = await sent(path, ask);
  if (answer.status === 401 && path !== "session") {
    const isByItself = ask.quiet || (isDeclined && (ask.method ?? "GET") === "GET");
    if (!isByItself && (await signedInAgain())) return call(path, ask);
    notice("over");
  } else if (answer.status !== 401 && answer.status < 500) notice("up"); // a wrong key tells nothing
  if (!answer.ok) throw await refused(answer);
  return (answer.status === 204 ? null : await answer.json()) as T;
}

/** Whether somebody has signed in again; all that wait for it have one dialog. */
export async function signedInAgain(): Promise<boolean> {
  if (signIn === null) return false;
  asking ??= signIn().finally(() => (asking = null));
  isDeclined = !(await asking);
  return !isDeclined;
}

async function sent(path: string, { method = "GET", body, keepalive, patience = PATIENCE }: Ask): Promise<Response> {
  const isFile = body instanceof Blob;
  const headers: Record<string, string> = { "x-glad-studio": "1" };
  if (body !== undefined) headers["content-type"] = isFile ? "application/octet-stream" : "application/json";
  try {
    return await fetch(`/studio/api/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : isFile ? body : JSON.stringify(body),
      keepalive,
      cache: "no-store",
      signal: AbortSignal.timeout(patience),
    });
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    notice(navigator.onLine ? "away" : "offline");
    throw new Refused(0, isLate ? texts.studio.connection.late : texts.studio.connection.unreachable);
  }
}

async function refused(answer: Response): Promise<Refused> {
  let problem: { detail?: unknown; [name: string]: unknown } = {};
  try {
    problem = (await answer.json()) as typeof problem;
  } catch {
    // an answer of something between here and there, which is no JSON
  }
  if (answer.status === 503) notice("away");
  const detail = typeof problem.detail === "string" ? problem.detail : texts.studio.connection.strange(answer.status);
  return new Refused(answer.status, detail, problem);
}

// Whether the gateway was there when it was last asked, and knew the session, for the line at the top of each page.
export type Connection = "up" | "away" | "offline" | "over";
let connection: Connection = "up";
const listeners = new Set<() => void>();

export function notice(now: Connection): void {
  if (now === connection) return;
  connection = now;
  for (const each of listeners) each();
}

export const connectionStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  now: (): Connection => connection,
  first: (): Connection => "up",
};

/** A query of what has a value. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") found.set(name, String(value));
  }
  const text = found.toString();
  return text && `?${text}`;
}
