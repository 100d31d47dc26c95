import type { Status } from "@/lib/studio/types";
import { texts } from "@/texts";
import { Badge, type Tone } from "./ui";

const TONES: Record<Status, Tone> = {
  pending: "plain",
  claimed: "busy",
  generated: "busy",
  awaiting_approval: "warn",
  published: "good",
  ready: "good",
  rejected: "bad",
  failed: "bad",
  cancelled: "plain",
};

export function StatusBadge({ status }: { status: Status }) {
  return <Badge tone={TONES[status]}>{texts.studio.status[status]}</Badge>;
}
