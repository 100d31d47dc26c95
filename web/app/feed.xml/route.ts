import { textAnswer } from "@/lib/answers";
import { rss } from "@/lib/feeds";

export const GET = () => textAnswer("application/rss+xml; charset=utf-8", rss);
