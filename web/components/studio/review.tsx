"use client";
// One picture after the other, large, with what is known of it: approved, rejected with a reason or drawn again, by
// single keys.
import Link from "next/link";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { keep, kept } from "@/lib/studio/kept";
import { useDeciding, useWaiting, type Decision, type Deciding, type Kind, type Mode } from "@/lib/studio/reviewing";
import type { Waiting } from "@/lib/studio/types";
import { texts } from "@/texts";
import { About } from "./review-about";
import { Reasons } from "./review-reasons";
import { preload, StudioPicture } from "./studio-picture";
import { useMay } from "./shell";
import { useToast } from "./toasts";
import { Button, Choices, cx, Empty, Failed, Notice } from "./ui";
import styles from "./review.module.css";

const words = texts.studio.review;
const LARGE = "(max-width: 60rem) 100vw, 62vw";

export function Review({ first }: { first: number | null }) {
  const [mode, setMode] = useState<Mode>("awaiting_approval");
  return (
    <div className={styles.page}>
      <div className={styles.top}>
        <h1>{words.title}</h1>
        <Choices
          legend={words.which}
          hidden
          value={mode}
          onChange={setMode}
          choices={[
            { value: "awaiting_approval", label: words.waitingChoice },
            { value: "ready", label: words.readyChoice },
          ]}
        />
      </div>
      <Desk key={mode} mode={mode} first={first} />
    </div>
  );
}

/** Which picture is on the desk, what was decided, and what the keys do. */
function useDesk(mode: Mode, first: number | null) {
  const tell = useToast();
  const may = useMay("review");
  const deciding = useDeciding(mode, ({ item, detail = "" }, isSure) => {
    const name = item.title ?? `#${item.id}`;
    tell(isSure ? words.notDecided(name, detail) : words.notKnown(name, detail), "bad");
  });
  const { on } = deciding;
  const isOpen = useCallback((item: Waiting) => on(item) === undefined, [on]);
  const waiting = useWaiting(mode, mode === "awaiting_approval" ? first : null, isOpen);
  const { items } = waiting;
  const [at, setAt] = useState<number | null>(first); // null: the first that is undecided
  const [isRejecting, setRejecting] = useState(false);
  const keys = useSwitch();
  const index = Math.max(0, items.findIndex(at === null ? isOpen : (each) => each.id === at));
  const item = items[index];

  useEffect(() => {
    for (const next of items.slice(index + 1, index + 3)) preload(next, LARGE);
  }, [items, index]);

  function go(to: Waiting | undefined) {
    if (to) setAt(to.id);
    setRejecting(false);
  }

  function decide(kind: Kind, reason?: string) {
    if (!item || !may) return;
    deciding.decide(item, kind, reason);
    const next = items.slice(index + 1).find(isOpen) ?? items.find((each) => isOpen(each) && each.id !== item.id);
    setAt(next?.id ?? null); // null: whatever is found later
    setRejecting(false);
  }

  const undo = () => go(deciding.undo());
  const reject = () => setRejecting(may && item !== undefined);
  useKeys({
    j: () => go(items[index + 1]),
    k: () => go(items[index - 1]),
    a: () => decide("approve"),
    r: reject,
    d: () => decide("anew"),
    z: undo,
  }, keys.isOn);
  const open = items.filter(isOpen).length;
  return { deciding, waiting, items, index, item, open, may, keys, isRejecting, go, decide, reject, undo, keep: () => setRejecting(false) };
}

function Desk({ mode, first }: { mode: Mode; first: number | null }) {
  const desk = useDesk(mode, first);
  const { waiting, deciding, items, item, open } = desk;
  if (!item) {
    if (waiting.error) return <Failed error={waiting.error} again={waiting.load} />;
    if (!waiting.isLoaded) return <div className={styles.loading} role="status"><span className="visually-hidden">{texts.studio.common.loading}</span></div>;
    return (
      <>
        {waiting.isFirstGone && first !== null && <FirstGone id={first} />}
        <NothingWaits mode={mode} />
      </>
    );
  }
  const decision = deciding.on(item);
  if (open === 0 && decision) return <AllDone mode={mode} deciding={deciding} onUndo={desk.undo} />;
  return (
    <>
      {waiting.error && <Failed error={waiting.error} again={waiting.load} />}
      {waiting.isFirstGone && first !== null && <FirstGone id={first} />}
      <div className={styles.desk}>
        <figure className={styles.stage}>
          <StudioPicture key={item.image_id} picture={item.picture} file={item.image_id} alt={item.alt_text ?? item.prompt} sizes={LARGE} className={styles.picture} />
          <Mark decision={decision} />
        </figure>
        <div className={styles.side}>
          <p className={styles.position} role="status">{words.position(desk.index + 1, items.length, open)}</p>
          <About item={item} />
          {desk.isRejecting ? (
            <Reasons mode={mode} onReason={(reason) => desk.decide("reject", reason)} onCancel={desk.keep} />
          ) : (
            <Verdict mode={mode} may={desk.may} isDecided={decision !== undefined} onDecide={desk.decide} onReject={desk.reject} />
          )}
          <Undo deciding={deciding} keys={desk.keys} onUndo={desk.undo} />
        </div>
      </div>
      <Strip items={items} on={deciding.on} at={item.id} onChoose={(id) => desk.go(items.find((each) => each.id === id))} />
    </>
  );
}

function FirstGone({ id }: { id: number }) {
  return (
    <Notice tone="warn" action={<Link href={`/studio/prompts/${id}`} prefetch={false}>{words.look}</Link>}>
      {words.firstGone(id)}
    </Notice>
  );
}

const KEYS_OFF = "glad-studio-keys-off";

/** Whether single keys decide: whoever speaks to the computer, or holds a key too long, switches them off. */
function useSwitch() {
  const [isOn, setOn] = useState(true);
  useEffect(() => setOn(kept(KEYS_OFF) === null), []);
  function set(to: boolean) {
    setOn(to);
    keep(KEYS_OFF, to ? null : "1");
  }
  return { isOn, set };
}

/** Single keys, where nobody is typing. */
function useKeys(keys: Record<string, () => unknown>, isOn: boolean) {
  const latest = useRef(keys);
  useLayoutEffect(() => {
    latest.current = keys; // before it is seen what they decide about
  });
  useEffect(() => {
    function press(event: KeyboardEvent) {
      if (!isOn || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const at = event.target as HTMLElement;
      if (at.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog")) return;
      const act = latest.current[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    }
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [isOn]);
}

interface VerdictProps {
  mode: Mode;
  may: boolean;
  isDecided: boolean;
  onDecide: (kind: Kind) => void;
  onReject: () => void;
}

function Verdict({ mode, may, isDecided, onDecide, onReject }: VerdictProps) {
  if (!may) return <Notice tone="warn">{words.mayNot}</Notice>;
  const disabled = isDecided;
  return (
    <div id="verdict" className={styles.verdict} tabIndex={-1} role="group" aria-label={words.decide}>
      <Button look="main" disabled={disabled} onClick={() => onDecide("approve")} aria-keyshortcuts="A">
        {mode === "ready" ? words.publish : words.approve} <kbd>A</kbd>
      </Button>
      <Button look="danger" disabled={disabled} onClick={onReject} aria-keyshortcuts="R">
        {mode === "ready" ? words.discard : words.reject} <kbd>R</kbd>
      </Button>
      <Button disabled={disabled} onClick={() => onDecide("anew")} aria-keyshortcuts="D">
        {words.anew} <kbd>D</kbd>
      </Button>
    </div>
  );
}

interface UndoProps {
  deciding: Deciding;
  keys?: { isOn: boolean; set: (to: boolean) => void };
  onUndo: () => void;
}

function Undo({ deciding, keys, onUndo }: UndoProps) {
  const held = deciding.lastHeld;
  return (
    <>
      <div className={styles.undo} role="status">
        {held ? (
          <>
            <span>{words.decided[held.kind]}</span>
            <Button small look="quiet" onClick={onUndo} aria-keyshortcuts="Z">
              {words.undo} <kbd>Z</kbd>
            </Button>
          </>
        ) : (
          <span className={styles.keys}>
            <kbd>J</kbd> {words.next} <kbd>K</kbd> {words.previous}
          </span>
        )}
      </div>
      {keys && (
        <label className={styles.keys}>
          <input type="checkbox" checked={keys.isOn} onChange={(event) => keys.set(event.target.checked)} /> {words.singleKeys}
        </label>
      )}
    </>
  );
}

function said({ state, kind, detail }: Decision): string {
  if (state === "refused") return detail ?? "";
  return state === "done" ? words.done[kind] : words.decided[kind];
}

function Mark({ decision }: { decision: Decision | undefined }) {
  if (!decision) return null;
  return <figcaption className={cx(styles.mark, styles[`mark_${decision.state === "refused" ? "refused" : decision.kind}`])}>{said(decision)}</figcaption>;
}

interface StripProps {
  items: Waiting[];
  on: Deciding["on"];
  at: number;
  onChoose: (id: number) => void;
}

function Strip({ items, on, at, onChoose }: StripProps) {
  const strip = useRef<HTMLUListElement>(null);
  const current = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // The strip alone: `scrollIntoView` would move the page too.
    if (strip.current && current.current) strip.current.scrollLeft = current.current.offsetLeft - strip.current.clientWidth / 2;
  }, [at]);
  return (
    <ul ref={strip} className={styles.strip} aria-label={words.strip}>
      {items.map((each) => {
        const decision = on(each);
        return (
          <li key={each.id}>
            <button
              type="button"
              ref={each.id === at ? current : undefined}
              aria-current={each.id === at || undefined}
              className={cx(decision && styles[`mark_${decision.state === "refused" ? "refused" : decision.kind}`], decision && styles.decided)}
              onClick={() => onChoose(each.id)}
            >
              <img src={each.picture.thumbnail} alt="" width={64} height={64} loading="lazy" />
              <span className="visually-hidden">{each.title ?? each.prompt}{decision && `, ${said(decision)}`}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function NothingWaits({ mode }: { mode: Mode }) {
  return (
    <Empty title={mode === "ready" ? words.noneReady : words.none} action={<Link href="/studio/generate">{texts.studio.queue.nothingAction}</Link>}>
      {mode === "ready" ? words.noneReadyText : words.noneText}
    </Empty>
  );
}

function AllDone({ mode, deciding, onUndo }: { mode: Mode; deciding: Deciding; onUndo: () => void }) {
  const all = useMemo(() => [...deciding.decisions.values()], [deciding.decisions]);
  const refused = all.filter((each) => each.state === "refused");
  const count = (kind: Kind) => all.filter((each) => each.kind === kind && each.state !== "refused").length;
  return (
    <>
      <Empty title={words.allDone} action={<Undo deciding={deciding} onUndo={onUndo} />}>
        {words.summary(count("approve"), count("reject"), count("anew"), mode === "ready")}
      </Empty>
      {refused.map((each) => (
        <Notice key={each.item.id} tone="bad" title={each.item.title ?? `#${each.item.id}`} action={<Link href={`/studio/prompts/${each.item.id}`}>{words.look}</Link>}>
          {each.detail}
        </Notice>
      ))}
    </>
  );
}
