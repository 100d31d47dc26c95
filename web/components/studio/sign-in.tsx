"use client";
// Signing in with an API key: as a page, and over a form whose session has ended meanwhile.
import { useRouter } from "next/navigation";
import { useEffect, useRef, useState } from "react";
import { call, onSessionOver, Refused } from "@/lib/studio/client";
import { texts } from "@/texts";
import { Button, Dialog, Field, useIsReady } from "./ui";
import styles from "./shell.module.css";

const words = texts.studio.session;

function SignInForm({ onDone }: { onDone: () => void }) {
  const input = useRef<HTMLInputElement>(null); // it keeps what was typed before the scripts came: a state would not
  const isReady = useIsReady();
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: React.FormEvent) {
    event.preventDefault();
    if (busy) return;
    const key = input.current?.value ?? "";
    if (!key.trim()) return setError(words.noKey);
    setBusy(true);
    setError(null);
    try {
      await call("session", { method: "POST", body: { key }, keepalive: true }); // whoever goes on meanwhile is signed in, too
      if (input.current) input.current.value = "";
      onDone();
    } catch (problem) {
      setError(problem instanceof Refused ? problem.message : String(problem));
      setBusy(false);
    }
  }

  return (
    <form onSubmit={submit} className={styles.signInForm} noValidate method="post">
      <Field label={words.key} hint={words.keyHint} error={error}>
        {(given) => (
          <input
            {...given}
            ref={input}
            type="password"
            autoComplete="current-password"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
          />
        )}
      </Field>
      <Button look="main" type="submit" busy={busy} disabled={!isReady}>
        {busy ? words.signingIn : words.signIn}
      </Button>
    </form>
  );
}

export function SignInPage({ site }: { site: string }) {
  const router = useRouter();
  return (
    <main className={styles.signIn}>
      <a href="/" className={styles.signInSite}>
        {site}
      </a>
      <h1>{words.welcome}</h1>
      <p className={styles.signInText}>{words.welcomeText}</p>
      <SignInForm onDone={() => router.refresh()} />
      <noscript>
        <p className={styles.signInText}>{texts.studio.noScript}</p>
      </noscript>
      <p className={styles.signInFoot}>
        {words.howToMakeOne} <code>./glad keys make studio --scope admin</code>
      </p>
    </main>
  );
}

/** Whatever asks while the session is over waits behind this. */
export function SignInAgain() {
  const [open, setOpen] = useState(false);
  const router = useRouter();
  const answer = useRef<((signedIn: boolean) => void) | null>(null);

  useEffect(
    () =>
      onSessionOver(() => {
        setOpen(true);
        return new Promise((resolve) => (answer.current = resolve));
      }),
    [],
  );

  function close(signedIn: boolean) {
    setOpen(false);
    answer.current?.(signedIn);
    answer.current = null;
    if (signedIn) router.refresh(); // it may be somebody else, who may do other things
  }

  return (
    <Dialog open={open} title={words.overTitle} onClose={() => close(false)}>
      <p>{words.overText}</p>
      <SignInForm onDone={() => close(true)} />
    </Dialog>
  );
}
