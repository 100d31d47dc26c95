"use client";
// Asking for a picture: the form on one side, the easel on which it appears on the other.
import { useEffect, useId, useRef, useState } from "react";
import { Attempt } from "@/lib/studio/asking";
import { bodyOf, EMPTY, keepDraft, keepIds, keptDraft, keptIds, type Draft } from "@/lib/studio/draft";
import { instant, zone } from "@/lib/studio/format";
import { useOptions, type Preset } from "@/lib/studio/options";
import { texts } from "@/texts";
import { Easel } from "./easel";
import { PromptField, useCheck } from "./prompt-field";
import { chosenSize, Shapes } from "./shapes";
import { useMay } from "./shell";
import { useTellError, useToast } from "./toasts";
import { Button, Choices, Field, Notice, WhenReady } from "./ui";
import styles from "./generate.module.css";

const words = texts.studio.generate;

export function Generate() {
  const { draft, set, clear } = useDraft();
  const [asked, setAsked] = useState<number[]>([]);
  const [shown, setShown] = useState<number | null>(null);
  const options = useOptions();
  const may = useMay("submit");
  const body = bodyOf(draft);
  const { content: _content, excerpt: _excerpt, ...checked } = body; // a post's text says nothing of its picture
  const check = useCheck(may ? checked : { ...checked, prompt: "" });
  const send = useSending(draft, may, (id) => show(id));

  useEffect(() => {
    const ids = keptIds();
    setAsked(ids);
    setShown(ids[0] ?? null);
  }, []);

  function show(id: number) {
    const ids = [id, ...keptIds().filter((each) => each !== id)];
    keepIds(ids);
    setAsked(ids);
    setShown(id);
    // On a phone it is below the form.
    if (matchMedia("(max-width: 60rem)").matches) requestAnimationFrame(() => document.getElementById("easel")?.scrollIntoView());
  }

  return (
    <div className={styles.page}>
      <WhenReady>
        <form className={styles.form} onSubmit={send.submit} onKeyDown={send.onKeyDown} noValidate>
          <h1 className={styles.title}>{words.title}</h1>
          {!may && <Notice tone="warn">{words.mayNot}</Notice>}
          <PromptField value={draft.prompt} check={check} error={send.errors.prompt ?? null} onChange={(prompt) => set({ prompt })} />
          <Shapes sizes={options?.sizes ?? []} value={draft.size} onChange={(size) => set({ size })} />
          <Drawing draft={draft} set={set} presets={options?.presets ?? []} error={send.errors.seed ?? null} />
          <Becomes draft={draft} set={set} errors={send.errors} categories={names(options?.blog.categories)} authors={names(options?.blog.authors)} />
          <div className={styles.actions}>
            <Button look="main" type="submit" busy={send.busy} disabled={!may}>
              {send.busy ? words.sending : words.draw}
            </Button>
            <Button look="quiet" onClick={clear} disabled={JSON.stringify(draft) === JSON.stringify(EMPTY)}>
              {words.clear}
            </Button>
            <span className={styles.shortcut}>{words.shortcut}</span>
          </div>
        </form>
      </WhenReady>
      <Easel id={shown} asked={asked} shape={chosenSize(options?.sizes ?? [], draft.size)} onShow={setShown} onAsked={show} />
    </div>
  );
}

const names = (found: { name: string }[] | undefined): string[] => (found ?? []).map((each) => each.name);

function useDraft() {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const isRead = useRef(false);
  useEffect(() => {
    setDraft(keptDraft());
    isRead.current = true;
  }, []);
  useEffect(() => {
    if (isRead.current) keepDraft(draft);
  }, [draft]);
  return {
    draft,
    set: (change: Partial<Draft>) => setDraft((now) => ({ ...now, ...change })),
    clear: () => setDraft(EMPTY),
  };
}

type Errors = Partial<Record<keyof Draft, string>>;

function mistakesOf(draft: Draft): Errors {
  const errors: Errors = {};
  if (!draft.prompt.trim()) errors.prompt = words.promptMissing;
  if (draft.seed.trim() && !/^\d{1,15}$/.test(draft.seed.trim())) errors.seed = words.seedWrong;
  if (draft.becomes === "post" && draft.when === "time") {
    if (instant(draft.at) === null) errors.at = words.atMissing;
    else if (Date.parse(draft.at) <= Date.now()) errors.at = words.atOver;
  }
  return errors;
}

function useSending(draft: Draft, may: boolean, onAsked: (id: number) => void) {
  const [busy, setBusy] = useState(false);
  const [errors, setErrors] = useState<Errors>({});
  const attempt = useRef(new Attempt());
  const under = useRef(false); // a second press comes before the first has been drawn
  const tell = useToast();
  const tellError = useTellError();
  const latest = useRef(draft);
  latest.current = draft;

  async function send(form: HTMLFormElement) {
    if (!may) return;
    const found = mistakesOf(latest.current);
    setErrors(found);
    if (Object.keys(found).length) {
      requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      return;
    }
    if (under.current) return;
    under.current = true;
    setBusy(true);
    try {
      const { id, is_new, notices } = await attempt.current.ask(bodyOf(latest.current), latest.current.seed);
      if (!is_new) tell(words.wasThere);
      for (const each of notices) tell(each, "warn");
      onAsked(id);
    } catch (error) {
      tellError(error);
    } finally {
      under.current = false;
      setBusy(false);
    }
  }

  const still = mistakesOf(draft); // what was mended meanwhile is no error any more
  return {
    busy,
    errors: Object.fromEntries(Object.entries(errors).filter(([name]) => name in still)) as Errors,
    submit: (event: React.FormEvent<HTMLFormElement>) => {
      event.preventDefault();
      void send(event.currentTarget);
    },
    onKeyDown: (event: React.KeyboardEvent<HTMLFormElement>) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void send(event.currentTarget);
    },
  };
}

interface PartProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
}

function Drawing({ draft, set, presets, error }: PartProps & { presets: Preset[]; error: string | null }) {
  const preset = presets.find((each) => (draft.preset ? each.name === draft.preset : each.is_default));
  return (
    <>
      <div className={styles.pair}>
        <Field label={words.preset} hint={preset ? words.presetMeaning(preset.meaning, preset.num_inference_steps) : words.presetHint}>
          {(given) => (
            <select {...given} value={draft.preset} onChange={(event) => set({ preset: event.target.value })}>
              <option value="">{words.presetOwn(presets.find((each) => each.is_default)?.name ?? "")}</option>
              {presets
                .filter((each) => !each.is_default)
                .map((each) => (
                  <option key={each.name} value={each.name} disabled={each.problem !== null}>
                    {each.problem === null ? each.name : words.presetNotHere(each.name)}
                  </option>
                ))}
            </select>
          )}
        </Field>
        <Field label={words.seed} hint={words.seedHint} error={error}>
          {(given) => (
            <input
              {...given}
              inputMode="numeric"
              autoComplete="off"
              placeholder={words.seedNew}
              value={draft.seed}
              onChange={(event) => set({ seed: event.target.value })}
            />
          )}
        </Field>
      </div>
      <Field label={words.negative} hint={words.negativeHint} optional>
        {(given) => (
          <textarea {...given} dir="auto" rows={1} maxLength={20_000} value={draft.negative} onChange={(event) => set({ negative: event.target.value })} />
        )}
      </Field>
    </>
  );
}

function Becomes({ draft, set, errors, categories, authors }: PartProps & { errors: Errors; categories: string[]; authors: string[] }) {
  return (
    <div className={styles.becomes}>
      <Choices
        legend={words.becomes}
        value={draft.becomes}
        onChange={(becomes) => set({ becomes })}
        choices={[
          { value: "post", label: words.post },
          { value: "picture", label: words.picture },
        ]}
      />
      {draft.becomes === "picture" ? <p className={styles.aside}>{words.pictureHint}</p> : <Post draft={draft} set={set} categories={categories} authors={authors} />}
      {draft.becomes === "post" && <When draft={draft} set={set} error={errors.at ?? null} />}
    </div>
  );
}

function Post({ draft, set, categories, authors }: PartProps & { categories: string[]; authors: string[] }) {
  const id = useId();
  return (
    <>
      <Field label={words.postTitle} hint={words.postTitleHint} optional>
        {(given) => (
          <input {...given} dir="auto" maxLength={255} value={draft.title} onChange={(event) => set({ title: event.target.value })} />
        )}
      </Field>
      <Field label={words.excerpt} optional>
        {(given) => (
          <textarea {...given} dir="auto" rows={1} maxLength={500} value={draft.excerpt} onChange={(event) => set({ excerpt: event.target.value })} />
        )}
      </Field>
      <Field label={words.content} hint={words.contentHint} optional>
        {(given) => (
          <textarea {...given} dir="auto" rows={4} maxLength={1_000_000} value={draft.content} onChange={(event) => set({ content: event.target.value })} />
        )}
      </Field>
      <div className={styles.pair}>
        <Named label={words.category} list={`${id}-categories`} names={categories} value={draft.category} onChange={(category) => set({ category })} />
        <Named label={words.author} list={`${id}-authors`} names={authors} value={draft.author} onChange={(author) => set({ author })} />
      </div>
      <Field label={words.alt} hint={words.altHint} optional>
        {(given) => <input {...given} dir="auto" maxLength={255} value={draft.alt} onChange={(event) => set({ alt: event.target.value })} />}
      </Field>
    </>
  );
}

interface NamedProps {
  label: string;
  list: string;
  names: string[];
  value: string;
  onChange: (value: string) => void;
}

/** A name that is there, or a new one. */
function Named({ label, list, names, value, onChange }: NamedProps) {
  return (
    <Field label={label} optional>
      {(given) => (
        <>
          <input {...given} dir="auto" list={list} maxLength={255} value={value} onChange={(event) => onChange(event.target.value)} />
          <datalist id={list}>
            {names.map((each) => (
              <option key={each} value={each} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

function When({ draft, set, error }: PartProps & { error: string | null }) {
  return (
    <>
      <Choices
        legend={words.when}
        value={draft.when}
        onChange={(when) => set({ when })}
        choices={[
          { value: "now", label: words.now },
          { value: "time", label: words.atTime },
          { value: "review", label: words.afterReview },
        ]}
      />
      {draft.when === "time" && (
        <Field label={words.at} hint={words.atHint(zone())} error={error}>
          {(given) => <input {...given} type="datetime-local" max="9999-12-31T23:59" value={draft.at} onChange={(event) => set({ at: event.target.value })} />}
        </Field>
      )}
    </>
  );
}
