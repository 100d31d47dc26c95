// What the gateway answers, by the names that the studio uses: its own document says what is in each.
import type { components } from "../openapi";

type Schemas = components["schemas"];
/** The document calls optional what has a default; the gateway answers it all the same. */
type Whole<T> = Required<T>;

export type Task = Whole<Schemas["Task"]>;
export type Status = Task["state"];

export interface Paged<T, M = object> {
  data: T[];
  meta: { after: number | null } & M;
}

export interface One<T> {
  data: T;
}

export type Outcome = Schemas["Outcome"];
export type Outcomes = Schemas["Outcomes"];
export type PromptRow = Whole<Schemas["PromptStatus"]> & { status: Status };
export type Preview = Schemas["Preview"];
export type Finding = Schemas["Finding"];
export type Waiting = Schemas["Waiting"];
export type Source = Schemas["Source"];
export type Queue = Schemas["Queue"] & { counts: Record<Status, number> };
export type Imported = Schemas["Imported"];
export type Message = Schemas["MessageStatus"];
export type Job = Whole<Schemas["Job"]>;
export type HistoryEvent = Whole<Schemas["Event"]>;
export type PromptDetails = Whole<Schemas["PromptDetails"]> & { status: Status; [field: string]: unknown };
export type CataloguedImage = Schemas["CataloguedImage"];
export type Rendition = Schemas["StoredRendition"];
export type Lineage = Schemas["Lineage"] & { prompt: PromptDetails; history: HistoryEvent[] };
