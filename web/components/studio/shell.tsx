"use client";
// What every page of the studio has around it: the head with the five rooms, whether the gateway is there, messages,
// and the dialog that asks for the key again.
import Link from "next/link";
import { usePathname } from "next/navigation";
import { createContext, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import useSWR, { SWRConfig, useSWRConfig } from "swr";
import { call, connectionStore, notice, Refused, signedInAgain } from "@/lib/studio/client";
import { forgetDraft, keepDraft, keepIds, keptDraft, keptIds } from "@/lib/studio/draft";
import type { One, Queue } from "@/lib/studio/types";
import { texts } from "@/texts";
import { SignInAgain } from "./sign-in";
import { Toasts, useToast } from "./toasts";
import { Button } from "./ui";
import styles from "./shell.module.css";

const words = texts.studio;
const ROOMS = ["generate", "queue", "review", "pictures", "health"] as const;
const COUNT_SECONDS = 20;
const AGAIN = 5_000;

export interface Who {
  name: string;
  scopes: string[];
  expires: string;
}

const Whose = createContext<Who>({ name: "", scopes: [], expires: "" });

/** Whether whoever is signed in has this scope. For showing alone: the gateway decides. */
export function useMay(scope: "read" | "submit" | "review" | "admin"): boolean {
  const { scopes } = useContext(Whose);
  return scopes.includes("admin") || scopes.includes(scope) || (scope === "read" && scopes.includes("review"));
}

export function Shell({ site, session, children }: { site: string; session: Who; children: ReactNode }) {
  return (
    <SWRConfig
      value={{
        fetcher: (path: string) => call(path),
        keepPreviousData: true,
        dedupingInterval: 1_000,
        // What is refused is refused when it is asked again; what does not answer is asked until it does.
        onErrorRetry: (error: unknown, _key, _config, again, { retryCount }) => {
          if (error instanceof Refused && error.isAway) setTimeout(() => again({ retryCount }), AGAIN);
        },
      }}
    >
      <Whose value={session}>
        <Toasts>
          <a className="skip" href="#content">
            {texts.common.skip}
          </a>
          <Head site={site} who={session} />
          <ConnectionLine />
          <main id="content" className={styles.main} tabIndex={-1}>
            <noscript>
              <p>{words.noScript}</p>
            </noscript>
            {children}
          </main>
          <SignInAgain />
        </Toasts>
      </Whose>
    </SWRConfig>
  );
}

const quietly = (path: string) => call<One<Queue>>(path, { quiet: true });

function Head({ site, who }: { site: string; who: Who }) {
  const path = usePathname();
  const { data } = useSWR<One<Queue>>("queue", quietly, { refreshInterval: COUNT_SECONDS * 1000 });
  const waiting = data?.data.counts.awaiting_approval ?? 0;
  return (
    <header className={styles.head}>
      <div className={styles.headInner}>
        <div className={styles.brand}>
          <a href="/" className={styles.site}>
            {site}
          </a>
          <span className={styles.studio}>{words.title}</span>
        </div>
        <nav aria-label={words.title} className={styles.nav}>
          {ROOMS.map((room) => (
            <Link
              key={room}
              href={`/studio/${room}`}
              prefetch={false}
              aria-current={path.startsWith(`/studio/${room}`) ? "page" : undefined}
            >
              {words.rooms[room]}
              {room === "review" && waiting > 0 && (
                <span className={styles.count}>
                  {waiting > 99 ? "99+" : waiting}
                  <span className="visually-hidden"> {words.review.waiting}</span>
                </span>
              )}
            </Link>
          ))}
        </nav>
        <SignedIn who={who} />
      </div>
    </header>
  );
}

function SignedIn({ who }: { who: Who }) {
  const [busy, setBusy] = useState(false);
  const tell = useToast();

  async function signOut() {
    setBusy(true);
    const [draft, ids] = [keptDraft(), keptIds()];
    forgetDraft(); // before it is known whether it succeeds: the page may be left meanwhile
    try {
      await call("session", { method: "DELETE", keepalive: true });
    } catch (error) {
      keepDraft(draft);
      keepIds(ids);
      tell(words.session.notSignedOut(error instanceof Error ? error.message : String(error)), "bad");
      return setBusy(false);
    }
    window.location.assign("/studio"); // a whole load: nothing of what was shown stays in memory
  }

  return (
    <div className={styles.who}>
      <span title={who.scopes.join(", ")} className={styles.whoName}>
        {who.name}
      </span>
      <Button look="quiet" small busy={busy} onClick={() => void signOut()}>
        {words.session.signOut}
      </Button>
    </div>
  );
}

function ConnectionLine() {
  const state = useSyncExternalStore(connectionStore.subscribe, connectionStore.now, connectionStore.first);
  const { mutate } = useSWRConfig();
  useEffect(() => {
    const offline = () => notice("offline");
    const online = () => void mutate(() => true);
    window.addEventListener("offline", offline);
    window.addEventListener("online", online);
    return () => {
      window.removeEventListener("offline", offline);
      window.removeEventListener("online", online);
    };
  }, [mutate]);
  useEffect(() => {
    if (state === "up" || state === "over") return;
    // Asked on every page, also where nothing else asks again: the line goes by itself.
    const timer = setInterval(() => void quietly("queue").then(() => mutate(() => true), () => undefined), AGAIN);
    return () => clearInterval(timer);
  }, [state, mutate]);
  async function signIn() {
    if (await signedInAgain()) await mutate(() => true);
  }

  return (
    <div role="status" className={styles.connection}>
      {state === "over" ? (
        <p>
          {words.session.over}{" "}
          <button type="button" onClick={() => void signIn()}>
            {words.session.signIn}
          </button>
        </p>
      ) : (
        state !== "up" && <p>{state === "offline" ? words.connection.offline : words.connection.awayLine}</p>
      )}
    </div>
  );
}
