"""Alt text from a prompt, by rule: what the picture is to show, without what is said to the model about how to draw it.

It tells the wish and not the picture; a row's own `alt_text` goes first. Pure.
"""

from __future__ import annotations

import re
import unicodedata

from glad_pipeline.weighted_text import read_weights

READ = 4_000  # characters of a prompt: what matters is at its beginning
LONGEST = 125  # characters: many screen readers cut there
NEUTRAL = "Illustration"  # where the prompt says nothing but how to draw
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_MARKUP = (  # written for a tool, in this order: the pattern, and what is left of it
    (re.compile(r"<[^<>]{0,200}:[^<>]{0,200}>"), ""),  # <lora:fox:0.8>
    (re.compile(r"(?<!\w)__[^\W_][\w*/.-]{0,100}?__(?!\w)|\{prompt\}", re.IGNORECASE), ""),
    (re.compile(r"\bembedding:\s*[\w.-]+(?::" + _NUMBER + r")?", re.IGNORECASE), ""),
    (re.compile(r"(?<![\w/.-])[\w-]+(?:\.[\w-]+)*\.(?:pt|safetensors|ckpt|bin)\b", re.IGNORECASE), ""),
    (re.compile(r"(?<!\S)--[a-z][a-z_-]*(?:[ =][\w:.,/-]+)?(?!\S)", re.IGNORECASE), ""),  # --ar 16:9
    (re.compile(rf"(?<!\\)\[([^\[\]:]*):([^\[\]:]*):\s*{_NUMBER}\s*\]"), r"\2"),  # [from:to:0.5]
    (re.compile(rf"(?<!\\)\[([^\[\]:]+):{{1,2}}\s*{_NUMBER}\s*\]"), r"\1"),  # [to:0.5], [from::0.5]
    (re.compile(r"(?<!\\)[\[{]([^\[\]{}|]*)\|[^\[\]{}]*[\]}]"), r"\1"),  # [one|other], {one|other}
    (re.compile(r"(?<!\\)[{}]"), ""),  # {more} elsewhere
    (re.compile(r"\bAND\b(?:\s*:\s*" + _NUMBER + r")?"), ", "),
    (re.compile(r"(?<=[^\W_])_(?=[^\W_])"), " "),  # red_fox
)
_NAME = r"[A-ZÀ-Þ][\w.'’-]*(?: (?:van|von|de|da|di|del|la|le|[A-ZÀ-Þ][\w.'’-]*))*"
_PLACES = r"(?:Lake|Mount|Mt|River|Port|Loch|Saint|St|San|Santa|Cape|New|North|South|East|West|The|Night|Day)\b"
_NO_NAMES = r"(?:the|a|an|its|his|her|their|my|our|some|day|night|sunlight|moonlight|candlelight|lamplight|firelight)\b"
_ARTISTS = re.compile(
    rf"^(?:(?:digital |concept |oil )?(?:art|artwork|painting|drawing|illustration|photo|photograph)s? )?"
    rf"by (?!(?i:{_NO_NAMES})|{_PLACES})\w[\w.'’-]*(?: [\w.'’-]+){{1,4}}$"  # all of a phrase
    rf"|\b(?:(?:painted|drawn|made|created|shot) )?by (?!{_PLACES}){_NAME}$"  # its end
    rf"|\b(?i:(?:(?:in|with) )?(?:the )?style of) (?:{_NAME}|.*$)"
    r"|^\w[\w.'’-]*(?: [\w.'’-]+){0,3} style$"
)
_STYLE = re.compile(
    r"(?<![\w-])(?:"
    # quality
    r"masterpiece|(?:best|high|highest|top|good|amazing|great|ultra|extreme)(?:[- ]|est )?quality|absurd ?res"
    r"|high(?:ly)?[- ]res(?:olution)?|\d+ ?k(?: (?:resolution|uhd|hdr|wallpaper))?|u?hd|hdr|wallpaper"
    r"|(?:(?:very|extremely|highly|hyper|super|insanely|incredibly|intricately|ultra)[- ]?)?detailed"
    r"(?! (?:map|plan|drawing)\b)|intricate(?: details?)?|high(?:ly)? details?|ultra[- ]?(?:hd|sharp)"
    r"|(?:ultra|hyper|photo)[- ]?real(?:istic|ism)?|score \d(?: up)?|rating (?:safe|general)"
    r"|beautiful|stunning|gorgeous|epic|aesthetic|award[- ]winning"
    # where such pictures are, and what made them
    r"|(?:trending|featured) on [\w.-]+|artstation(?: hq)?|deviantart|pixiv|cgsociety|behance"
    r"|unreal engine(?: ?\d(?:\.\d)?)?|octane(?: render(?:ed)?)?|ray[- ]?trac(?:ing|ed)|v-?ray|blender(?: render)?"
    r"|redshift|3d render|global illumination"
    # light, lens and film
    r"|cinematic(?: (?:lighting|shot|still|look))?|volumetric(?: (?:lighting|light|fog))?"
    r"|(?:dramatic|studio) lighting|(?:very )?sharp focus|in focus|(?:shallow )?depth of field|soft focus|bokeh"
    r"|professional(?: (?:photo(?:graph|graphy)?|quality))?|photography|raw photo|dslr|film grain"
    r"|f/?\d{1,2}(?:\.\d)?|\d{2,4} ?mm(?: (?:lens|film|photo(?:graph)?))?|iso ?\d{2,5}"
    r"|(?:canon eos|nikon|kodak)[\w ]*"
    r")(?![\w-])",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(\s*(?:[,;\n，、；،؛]|[.!?](?=\s)|[。！？])\s*)")  # phrases and sentences
_DANGLING = re.compile(r"(?:(?:^|\s)(?:and|of|with|in|a|an|the|by|on))+$", re.IGNORECASE)

_LEADING = re.compile(r"^(?:(?:of|with|in|by)(?:\s|$))+", re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]+")


def alt_text_from(prompt: str) -> str:
    """What a picture of this prompt shows: one line, 1 to LONGEST characters, no markup, its first letter a capital.

    >>> alt_text_from("masterpiece, (red fox:1.3) in [snow], <lora:fox:0.8>, 8k")
    'Red fox in snow'
    """
    text = "".join(" " if unicodedata.category(each) == "Cc" and each != "\n" else each for each in prompt[:READ])
    text = _BLANKS.sub(" ", text)
    for pattern, left in _MARKUP:
        text = pattern.sub(left, text)
    sections = ("".join(part.text for part in section) for section in read_weights(text).sections)
    return _raised(_joined(_BETWEEN.split(", ".join(sections)))) or NEUTRAL


def _joined(pieces: list[str]) -> str:
    """The phrases that are about the picture, each once, as many as fit; of a first one that is too long its words."""
    told, seen = "", set[str]()
    for number in range(0, len(pieces), 2):
        phrase = _plain(pieces[number])
        if not phrase or phrase.casefold() in seen:
            continue
        before = pieces[number - 1].strip() if told else ""
        space = " " if before.isascii() or before in "،؛" else ""
        joined = f"{told}{before or ','}{space}{phrase}" if told else phrase
        if len(joined) > LONGEST:
            return told or _cut(phrase)
        told = joined
        seen.add(phrase.casefold())
    return told


def _plain(phrase: str) -> str:
    """A phrase without words on style; "" where it has no others."""
    phrase = _ARTISTS.sub("", " ".join(phrase.split()))
    without = " ".join(_STYLE.sub("", phrase).split()).strip(" .,:;-–—|/\\*#+&\"'`")
    if without != phrase:
        without = _DANGLING.sub("", without)
        if not _LEADING.match(phrase):
            without = _LEADING.sub("", without)
    return without if any(each.isalnum() for each in without) else ""


def _cut(phrase: str) -> str:
    """Its first words, or, of a script without spaces, its first characters, no combined one taken apart."""
    kept = phrase[:LONGEST]
    if " " in kept:
        return kept[: kept.rindex(" ")].rstrip(" .,:;-–—")
    while kept and (unicodedata.combining(phrase[len(kept)]) or "\u200d" in (phrase[len(kept)], kept[-1])):
        kept = kept[:-1]
    return kept or phrase[:LONGEST]


def _raised(text: str) -> str:
    first = text[:1].upper()
    return first + text[1:] if len(first) == 1 else text
