// By which names this site is reached. Elsewhere than behind `glad up` the platform sees to it, and nothing is set.

/** Whether a request for this `Host` is for us: no other name can then be made to lead a browser here. */
export function isOurHost(host: string | null): boolean {
  const ours = (process.env.GLAD_SITE_HOSTS ?? "").split(",").filter(Boolean);
  return ours.length === 0 || ours.includes((host ?? "").toLowerCase().replace(/:\d+$/, ""));
}
