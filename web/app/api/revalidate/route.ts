// The outbox says which posts have changed. Everything that lists posts has the tag `posts`, each post its own.
import { createHash, timingSafeEqual } from "node:crypto";
import { revalidateTag } from "next/cache";
import { raiseEpoch } from "@/lib/epochs";
import { gatewayAnswers } from "@/lib/gateway";
import { messageOf, tagsOf } from "@/lib/revalidate";
import { revalidateSecret } from "@/lib/settings";

const LONGEST = 1_000_000;
const hashed = (text: string) => createHash("sha256").update(text).digest();
const refused = (status: number, message: string) => Response.json({ revalidated: false, message }, { status });

export async function POST(request: Request): Promise<Response> {
  const secret = revalidateSecret();
  if (secret === "") return refused(503, "GLAD_REVALIDATE_SECRET is not set for this site");
  if (!timingSafeEqual(hashed(request.headers.get("x-revalidate-secret") ?? ""), hashed(secret)))
    return refused(401, "x-revalidate-secret is not this site's GLAD_REVALIDATE_SECRET");
  const body = await request.text();
  if (body.length > LONGEST) return refused(413, `a body of ${body.length} characters: ${LONGEST} is the most`);
  const message = messageOf(parsed(body));
  if (message === null) return refused(400, "the body has to be JSON, as {paths: [text], tags: [text]}");

  // What was taken down is shown to nobody again, even if the next page then has to say that the gateway is away. For a
  // new post the pages of before stay meanwhile: the outbox tells of it again.
  if (!message.isTakedown && !(await gatewayAnswers())) return refused(503, "the gateway does not answer: tell me again");
  for (const tag of tagsOf(message)) {
    raiseEpoch(tag);
    revalidateTag(tag, { expire: 0 }); // for a host that shares what it keeps among several processes
  }
  return Response.json({ revalidated: true });
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
