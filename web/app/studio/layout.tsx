import type { Metadata } from "next";
import { cookies, headers } from "next/headers";
import { SignInPage } from "@/components/studio/sign-in";
import { Shell } from "@/components/studio/shell";
import { siteName } from "@/lib/settings";
import { sessionOf, shown } from "@/lib/studio/session";
import { texts } from "@/texts";

export const metadata: Metadata = {
  title: texts.studio.title,
  robots: { index: false, follow: false },
};

export default async function Layout({ children }: { children: React.ReactNode }) {
  const session = sessionOf(await cookies(), await headers());
  if (session === null) return <SignInPage site={siteName()} />;
  return (
    <Shell site={siteName()} session={shown(session)}>
      {children}
    </Shell>
  );
}
