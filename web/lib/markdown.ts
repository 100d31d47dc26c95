// A post's text as HTML that may stand on our page: markdown and the HTML in it, without scripts, styles, ids, forms or
// pictures of hosts that the policy refuses.
import "server-only";
import { createHash } from "node:crypto";
import MarkdownIt from "markdown-it";
import sanitize from "sanitize-html";
import { isAllowed } from "./pictures";

const LONG = 5_000; // characters of a block whose direction is said: with `auto` browsers take a minute for one of 1 MB
const TO_THE_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const KEPT = 16_000_000; // characters of rendered texts; rendering 1 MB takes about a second

const markdown = new MarkdownIt({ html: true, linkify: true, typographer: false });
markdown.core.ruler.push("page", (state) => {
  const levels = state.tokens.filter((each) => each.type === "heading_open").map((each) => Number(each.tag.slice(1)));
  const down = Math.max(0, 2 - Math.min(6, ...levels)); // the page's own title is the only h1
  let block = { token: state.tokens[0], characters: 0, dir: "auto" };
  for (const token of state.tokens) {
    if (token.nesting === 1 && token.level === 0) block = { token, characters: 0, dir: "auto" };
    if (token.type === "inline") {
      block.characters += token.content.length;
      if (block.dir === "auto") block.dir = directionOf(token.content);
    }
    if (token.nesting === -1 && token.level === 0 && block.characters > LONG) block.token?.attrSet("dir", block.dir);
    if (/^heading_(?:open|close)$/.test(token.type)) token.tag = `h${Math.min(6, Number(token.tag.slice(1)) + down)}`;
    // The direction of a block is that of its first letter. What has its own inside does not count for it.
    if (token.nesting === 1 && (token.level === 0 || /^t[hd]_open$/.test(token.type))) token.attrSet("dir", "auto");
    const aligned = /^text-align:(\w+)$/.exec(String(token.attrGet("style") ?? ""))?.[1];
    if (aligned) {
      token.attrSet("class", `align-${aligned}`); // an inline style is refused by the policy
      token.attrSet("style", "");
    }
  }
});

/** Of its first letter. */
function directionOf(text: string): string {
  const letter = /\p{L}/u.exec(text)?.[0];
  if (letter === undefined) return "auto";
  return TO_THE_LEFT.test(letter) ? "rtl" : "ltr";
}

const BLOCKS = "p h2 h3 h4 h5 h6 ul ol li blockquote table td th div figcaption dd dt".split(" ");
const RULES: sanitize.IOptions = {
  allowedTags: [
    ...BLOCKS,
    ...["a", "abbr", "b", "br", "caption", "cite", "code", "del", "details", "dfn", "dl", "em", "figure", "hr", "i", "img"],
    ...["ins", "kbd", "mark", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"],
    ...["tbody", "tfoot", "thead", "time", "tr", "u", "var"],
  ],
  allowedAttributes: {
    ...Object.fromEntries(BLOCKS.map((tag) => [tag, ["dir"]])),
    a: ["href", "title", "rel"],
    img: ["src", "alt", "title", "width", "height", "loading", "decoding"],
    ol: ["dir", "start", "reversed"],
    td: ["dir", "colspan", "rowspan"],
    th: ["dir", "colspan", "rowspan", "scope"],
    "*": ["lang"],
  },
  allowedClasses: { code: ["language-*"], td: ["align-*"], th: ["align-*"] },
  allowedSchemes: ["http", "https", "mailto", "tel"],
  allowedSchemesByTag: { img: ["http", "https", "data"] },
  allowProtocolRelative: false,
  parseStyleAttributes: false,
  nestingLimit: 60,
  disallowedTagsMode: "discard",
  transformTags: {
    h1: "h2",
    a: (tagName, attribs) => ({ tagName, attribs: { ...attribs, rel: "noopener" } }),
    img: (tagName, attribs) =>
      isAllowed(attribs.src ?? "")
        ? { tagName, attribs: { ...attribs, alt: attribs.alt ?? "", loading: "lazy", decoding: "async" } }
        : { tagName: "span", attribs: {}, text: attribs.alt ?? "" },
  },
};

function render(text: string): string {
  const clean = sanitize(markdown.render(text), RULES);
  // What scrolls sideways has to be reached by keyboard. After sanitising every "<" is a tag's.
  return clean
    .replaceAll("<table", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table')
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre", '<pre tabindex="0"');
}

const kept = new Map<string, string>(); // the one that was asked for last is last
let characters = 0;

export function htmlOf(text: string): string {
  const key = createHash("sha256").update(text).digest("base64");
  const known = kept.get(key);
  const html = known ?? render(text);
  if (known === undefined) characters += html.length;
  kept.delete(key);
  kept.set(key, html);
  for (const [oldest, dropped] of kept) {
    if (characters <= KEPT) break;
    kept.delete(oldest);
    characters -= dropped.length;
  }
  return html;
}

/** The words alone, for a description. */
export function plainOf(text: string): string {
  return sanitize(markdown.render(text.slice(0, 4000)), { allowedTags: [], allowedAttributes: {} })
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ")
    .trim();
}
