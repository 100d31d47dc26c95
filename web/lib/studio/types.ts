// What the gateway answers, as the studio uses it (docs/gateway.md, /openapi.json).
export type Status =
  | "pending" | "claimed" | "generated" | "awaiting_approval" | "published" | "ready" | "rejected" | "failed" | "cancelled";

export interface Paged<T, M = object> {
  data: T[];
  meta: { after: number | null } & M;
}

export interface One<T> {
  data: T;
}

export interface Outcome {
  id: number;
  ok: boolean;
  detail: string;
}

export interface Outcomes {
  data: Outcome[];
  meta: { ok: number; refused: number; job?: string | null };
}

export interface PromptRow {
  id: number;
  status: Status;
  priority: number;
  source: string;
  attempts: number;
  title: string | null;
  prompt: string;
  slug: string | null;
  task_id: string | null;
  last_error: string | null;
  created_at: string;
  publish_at: string | null;
  published_at: string | null;
  image_url: string | null;
  post_status: string | null;
  eta_seconds?: number | null;
}

export interface Preview {
  url: string;
  width: number;
  height: number;
  bytes: number;
  thumbnail: string;
  placeholder: string | null;
  srcset: Record<string, string>;
}

export interface Finding {
  gate: string;
  passed: boolean | null;
  detail: string | null;
}

export interface Waiting {
  id: number;
  status: "awaiting_approval" | "ready";
  source: string;
  prompt: string;
  negative_prompt: string;
  title: string | null;
  excerpt: string | null;
  category: string | null;
  author: string | null;
  alt_text: string | null;
  post_path: string | null;
  post_shows: string | null;
  reason: string | null;
  drawn_at: string | null;
  publish_at: string | null;
  image_id: number;
  picture: Preview;
  findings?: Finding[];
}

export interface Task {
  id: number;
  state: Status;
  message: string;
  place: number | null;
  drawing: { picture: number; of: number } | null;
  attempts: number;
  reason: string | null;
  created_at: string;
  publish: "post" | "picture";
  image_url: string | null;
  image: { url: string; thumbnail: string; width: number; height: number; alt_text: string; photographer: string } | null;
  generation_time: number | null;
  post: string | null;
  eta_seconds?: number | null;
}

export interface Source {
  source: string;
  waiting: number;
  in_work: number;
  added: number | null;
  published: number;
  queued_limit: number | null;
  daily_limit: number | null;
  paused_since: string | null;
  pause_reason: string | null;
}

export interface Queue {
  counts: Record<Status, number>;
  paused: string | null;
  pending: boolean;
  due: boolean;
  sources: Source[];
}

export interface Imported {
  dry_run: boolean;
  added: number;
  existing: number;
  differing: number;
  refused: number;
  reasons: { where: string; reason: string }[];
  read: string[];
  noticed: string[];
  first: { where: string; prompt: Record<string, unknown>; notices: string[] }[];
}

export interface Message {
  id: number;
  kind: "revalidate" | "delete" | "purge";
  subject: string;
  payload: Record<string, unknown>;
  attempts: number;
  status: "waiting" | "delivered" | "skipped" | "dead";
  next_attempt_at: string;
  last_error: string | null;
  created_at: string;
  ended_at: string | null;
}

export interface Job {
  id: string;
  kind: string;
  by: string;
  state: "running" | "done" | "failed";
  started_at: string;
  ended_at: string | null;
  progress: string | null;
  result: unknown;
  problem: string | null;
}

export interface HistoryEvent {
  at: string;
  event: string;
  run_id: string | null;
  detail: string | null;
}

export interface PromptDetails {
  [field: string]: unknown;
  id: number;
  status: Status;
  prompt: string;
  negative_prompt: string;
  title: string | null;
  category: string | null;
  author: string | null;
  source: string;
  seed: number | null;
  created_at: string;
  publish_at: string | null;
  published_at: string | null;
  last_error: string | null;
  claimed_by: string | null;
  image_id: number | null;
  image_url: string | null;
  image_removed_at: string | null;
  image_removed_reason: string | null;
  post_path: string | null;
  post_title: string | null;
  post_status: string | null;
}

export interface CataloguedImage {
  id: number;
  key: string;
  url: string;
  recipe_hash: string;
  recipe: Record<string, unknown>;
  model: string;
  model_revision: string;
  sha256: string;
  bytes: number;
  width: number;
  height: number;
  content_type: string;
  seconds: number | null;
  contrast: number | null;
  provenance: Record<string, unknown>;
  pixels_sha256: string | null;
  thumbnail_url: string | null;
  verified_at: string;
  removed_at: string | null;
}

export interface Rendition {
  key: string;
  kind: string;
  width: number;
  height: number;
  bytes: number;
}

export interface Lineage {
  prompt: PromptDetails;
  stands: string | null;
  notices: string[];
  history: HistoryEvent[];
  image: CataloguedImage | null;
  renditions: Rendition[];
  messages: Message[];
}
