// The settings of this process, read when they are needed: none is built into a bundle.
import "server-only";

const trimmed = (address: string | undefined) => (address ?? "").trim().replace(/\/+$/, "");

export const gatewayUrl = () => trimmed(process.env.GLAD_API_URL) || "http://127.0.0.1:8000";
export const siteName = () => process.env.GLAD_SITE_NAME?.trim() || "Glad";
export const siteDescription = () =>
  process.env.GLAD_SITE_DESCRIPTION?.trim() || "Stories, each with a picture that was drawn for it.";
export const revalidateSecret = () => process.env.GLAD_REVALIDATE_SECRET ?? "";
export const siteUrlSetting = () => trimmed(process.env.GLAD_SITE_URL);
