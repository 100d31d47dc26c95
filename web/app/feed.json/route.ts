import { textAnswer } from "@/lib/answers";
import { jsonFeed } from "@/lib/feeds";

export const GET = () => textAnswer("application/feed+json; charset=utf-8", async () => JSON.stringify(await jsonFeed()));
