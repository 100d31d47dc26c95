import type { NextConfig } from "next";

const config: NextConfig = {
  output: "standalone",
  // The packed site is called by the hash of its sources (scripts/pack.py); elsewhere Next draws a name.
  generateBuildId: () => process.env.GLAD_BUILD_ID || null,
  // The repository around this folder has no part in the build.
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname, resolveAlias: { postcss: "./lib/no-postcss.ts" } },
  // Pictures are the gateway's renditions. With a loader of our own there is no /_next/image, which would keep a copy of
  // a picture that was taken down, and no need of sharp.
  images: { loader: "custom", loaderFile: "./lib/loader.ts" },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**"] },
  poweredByHeader: false,
  reactStrictMode: true,
  productionBrowserSourceMaps: false,
  // Title and description stand in the head for everybody, not only for known robots: without scripts they stay where they
  // were sent.
  htmlLimitedBots: /.*/,
  devIndicators: false,
  allowedDevOrigins: ["127.0.0.1", "localhost"],
  // Data that is kept is kept in memory, which has a bound; on disk it would grow with every address that is asked for.
  experimental: { isrFlushToDisk: false },
};

export default config;
