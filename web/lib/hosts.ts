// By which names this site is reached. Elsewhere than behind `glad up` the platform sees to it, and nothing is set.

export const HOST = "x-glad-host"; // on every request that proxy.ts passes on: what `publicHost` has said
const ours = () => (process.env.GLAD_SITE_HOSTS ?? "").split(/[\s,]+/).filter(Boolean);

/** Whether a request for this `Host` is for us: no other name can then be made to lead a browser here. */
export function isOurHost(host: string | null): boolean {
  return ours().length === 0 || isNamed(host ?? "");
}

const isNamed = (host: string) => ours().includes(host.toLowerCase().replace(/:\d+$/, ""));

/**
 * The host that visitors call. Where no proxy sets `X-Forwarded-Host`, anybody may say one, which a shared cache would keep
 * in our links: it counts only if it is one of ours.
 */
export function publicHost(headers: Headers): string | null {
  const said = headers.get("x-forwarded-host");
  return said !== null && isNamed(said) ? said : headers.get("host");
}
