// Which of the gateway's routes the studio's pages may reach through this server: those that they use, and no others.
// Keys are made at a terminal or by the API: their texts have no business in a browser.
const ID = "\\d{1,19}";

const ROUTES: [methods: string, pattern: string][] = [
  ["GET", "review|prompts|posts|queue|outbox|jobs|options|images|runs"],
  ["GET", `prompts/${ID}|images/${ID}(/file)?|jobs/[\\w-]{1,40}`],
  ["POST", "prompts(/(check|import|priority|retry|cancel))?"],
  ["POST", "review/(approve|reject|publish|discard|redraw)"],
  ["POST", "posts/unpublish|images/(delete|allow|redraw|redraw-stale|reproduce)"],
  ["POST", "queue/(pause|resume)|outbox/(retry|deliver)|audit|doctor"],
  ["PATCH", `prompts/${ID}`],
];
const MEDIA = new RegExp(`^tasks/${ID}(/events)?$`);
const COMPILED = ROUTES.map(([method, pattern]) => [method, new RegExp(`^(${pattern})$`)] as const);

/** The gateway's path of one of ours; null: there is none. */
export function gatewayPath(method: string, path: string): string | null {
  if (method === "GET" && MEDIA.test(path)) return `/api/media/${path}`;
  if (method === "GET" && path === "drawing") return "/api/media/health";
  return COMPILED.some(([each, pattern]) => each === method && pattern.test(path)) ? `/api/studio/${path}` : null;
}
