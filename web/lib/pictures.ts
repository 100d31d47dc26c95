// Which pictures a page may show: what the content security policy would refuse is not put on the page at all.

/** Sources as CSP has them: `https:`, `https://cdn.example.com`, `*.example.com`, `http://127.0.0.1:9000`. */
export function pictureSources(): string[] {
  const named = (process.env.GLAD_IMAGE_HOSTS ?? "").split(/[\s,]+/).filter((each) => /^[\w.:/*[\]-]+$/.test(each));
  return named.length > 0 ? named : ["https:"];
}

export function isAllowed(address: string): boolean {
  if (/^data:image\/(?:png|jpeg|gif|webp|avif);/i.test(address)) return true;
  if (address.startsWith("/") && !address.startsWith("//") && !address.startsWith("/\\")) return true;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return false;
  }
  return (url.protocol === "https:" || url.protocol === "http:") && pictureSources().some((each) => matches(each, url));
}

function matches(source: string, url: URL): boolean {
  if (source.endsWith(":")) return url.protocol === source;
  const [, scheme, host, port, path] = /^(?:(\w+):\/\/)?(\[[^\]]*\]|[^:/]+)(?::(\d+|\*))?(\/.*)?$/.exec(source) ?? [];
  if (host === undefined || (scheme !== undefined && `${scheme}:` !== url.protocol)) return false;
  if (scheme === undefined && url.protocol === "http:" && process.env.GLAD_SITE_URL?.startsWith("https:")) return false;
  if (path !== undefined && !(path.endsWith("/") ? url.pathname.startsWith(path) : url.pathname === path)) return false;
  const standard = url.protocol === "https:" ? "443" : "80";
  if (port !== "*" && (port ?? standard) !== (url.port || standard)) return false;
  return host.startsWith("*.") ? url.hostname.endsWith(host.slice(1)) : host === "*" || url.hostname === host;
}
