// In place of postcss, which sanitize-html takes for style attributes: of those none is let through.
export function parse(): never {
  throw new Error("style attributes are not parsed");
}
