// Asking for a picture, once however often the button is pressed or the answer is lost.
import { call } from "./client";
import type { One } from "./types";

export interface PromptBody {
  [field: string]: string | number | boolean | null;
}

export interface Asked {
  id: number;
  is_new: boolean;
  notices: string[];
}

const SEEDS = 2 ** 32;

export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % SEEDS;
}

/** One intention: the same body asked again has the same key and the same seed, and is the same prompt. */
export class Attempt {
  private content: string | null = null;
  private body: PromptBody = {};

  async ask(body: PromptBody, seed: string): Promise<Asked> {
    const content = JSON.stringify([body, seed]);
    if (content !== this.content) {
      this.content = content;
      this.body = { ...body, seed: seed.trim() ? Number(seed) : newSeed(), idempotency_key: crypto.randomUUID() };
    }
    const { data } = await call<One<Asked>>("prompts", { method: "POST", body: this.body });
    this.content = null; // the next press is a new intention
    return data;
  }
}

/** The same prompt with another seed, as a prompt of its own. Where it is to be a post, it waits for approval: who asks
 * for another picture has not asked for a second post, nor for one before its time. */
export async function askAnew(id: number): Promise<number> {
  const { data } = await call<One<{ prompt: Record<string, unknown> }>>(`prompts/${id}`);
  const was = data.prompt;
  const body: PromptBody = { seed: newSeed(), idempotency_key: crypto.randomUUID() };
  for (const name of CARRIED) {
    const value = was[name];
    if ((typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "boolean") body[name] = value;
  }
  if (was["publish"] === "post") body.needs_approval = true;
  if (was["post_id"] != null) body.post_id = String(was["post_id"]);
  const due = was["publish_at"];
  if (typeof due === "string" && Date.parse(due) > Date.now()) body.publish_at = due;
  return (await call<One<Asked>>("prompts", { method: "POST", body })).data.id;
}

const CARRIED = [
  ...["prompt", "negative_prompt", "prompt_syntax", "title", "excerpt", "content", "category", "author", "alt_text", "focus"],
  ...["width", "height", "num_inference_steps", "guidance_scale", "scheduler", "preset", "model", "model_revision", "lora"],
  ...["publish", "needs_approval", "priority"],
];
