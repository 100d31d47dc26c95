// For whom this server asks the gateway.

/**
 * What tells the gateway that it is the site that asks: its rates then count `visitor`, or nobody, and not the address of
 * this server, which all visitors share. What is kept is asked for without a visitor: Next keeps by headers, too.
 */
export function siteHeaders(visitor?: string | null): Record<string, string> {
  const secret = process.env.GLAD_REVALIDATE_SECRET;
  return secret ? { "x-glad-site": secret, ...(visitor ? { "x-glad-visitor": visitor } : {}) } : {};
}

/** The address of who has sent these headers, as the proxy before us, or Next, says: the last one is theirs. */
export function visitorOf(headers: Headers): string | null {
  return headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() || null;
}
