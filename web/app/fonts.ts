import localFont from "next/font/local";

// Newsreader, OFL 1.1 (fonts/OFL.txt). "optional": a font that is late is used from the next page on, so that no line
// ever moves.
export const serif = localFont({
  src: "./fonts/newsreader.woff2",
  weight: "200 800",
  display: "optional",
  variable: "--font-serif",
  fallback: ["Iowan Old Style", "Palatino", "Georgia", "serif"],
});
export const serifItalic = localFont({
  src: "./fonts/newsreader-italic.woff2",
  weight: "200 800",
  style: "italic",
  display: "optional",
  preload: false,
  variable: "--font-serif-italic",
  fallback: ["Iowan Old Style", "Palatino", "Georgia", "serif"],
});
