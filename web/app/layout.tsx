import type { Metadata, Viewport } from "next";
import { connection } from "next/server";
import { siteDescription, siteName } from "@/lib/settings";
import "./fonts.css";
import "./globals.css";

export async function generateMetadata(): Promise<Metadata> {
  await connection();
  const name = siteName();
  return {
    title: { default: name, template: `%s · ${name}` },
    description: siteDescription(),
    formatDetection: { telephone: false, address: false, email: false },
  };
}

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  colorScheme: "light dark",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fbfaf6" },
    { media: "(prefers-color-scheme: dark)", color: "#15161a" },
  ],
};

export default async function Root({ children }: { children: React.ReactNode }) {
  await connection(); // each page is rendered for its request: its scripts carry that request's nonce
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
