"""Alt text made of a prompt: what is to be seen, and nothing that is said to the model or to a tool."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glad_pipeline.publishing.alt_text import LONGEST, NEUTRAL, alt_text_from

MADE = {
    "a quiet harbour at dawn, pink light": "A quiet harbour at dawn, pink light",
    # weights of every kind, brackets of the text, pieces
    "masterpiece, best quality, (red fox:1.3) in [snow], <lora:fox:0.8>, 8k, by Greg Rutkowski": "Red fox in snow",
    "(a fox:0.8) under ((a moon)) and {stars}": "A fox under a moon and stars",
    "an old lighthouse \\(Brittany\\) at dusk": "An old lighthouse (Brittany) at dusk",
    "a fox (in winter": "A fox in winter",
    "a room BREAK a warm lamp": "A room, a warm lamp",
    "a cat AND a dog AND :1.2 a bird": "A cat, a dog, a bird",
    # what is written for other tools
    "[cat:dog:0.5] on a sofa": "Dog on a sofa",
    "a [cat|dog], a {red|blue} car": "A cat, a red car",
    "a __animal__ in a field": "A in a field",
    "embedding:gloom, a man, badhand.pt": "A man",
    "1girl, red_hair, score_9 --ar 16:9": "1girl, red hair",
    # words on style, quality, lenses and artists
    "cinematic photo of a lighthouse, 35mm, f/1.8, bokeh, highly detailed": "Photo of a lighthouse",
    "a castle, trending on artstation, unreal engine 5, octane render": "A castle",
    "by greg rutkowski style, a castle": "A castle",
    "portrait of a woman, art by Artgerm and Loish": "Portrait of a woman",
    "a woman painted by Alphonse Mucha": "A woman",
    "a valley in the style of Ansel Adams": "A valley",
    "a beautiful woman in a stunning dress": "A woman in a dress",
    "Professional photography of a cat in focus": "A cat",
    "cinematic still of a 4k television": "A television",
    "of a cat, 8k with snow": "Of a cat, snow",
    "in the snow, in the snow 4k": "In the snow",
    # which are no words on style
    "a house by the sea, by night, by Lake Geneva": "A house by the sea, by night, by Lake Geneva",
    "a detailed map of Paris": "A detailed map of Paris",
    "a canyon with 3 kayaks": "A canyon with 3 kayaks",
    # phrases: once each, sentences and lines
    "a fox, A Fox, snow": "A fox, snow",
    "a fox. It is night! Stars shine.": "A fox. It is night! Stars shine",
    "a cat\nin the hat": "A cat, in the hat",
    # any script
    "(雪の中の狐:1.2)、夜、8k": "雪の中の狐、夜",
    "ثعلب في الثلج، ليل, 8k": "ثعلب في الثلج، ليل",
    "ßein und zeit": "ßein und zeit",
    # nothing left
    "masterpiece, 8k, <lora:x:1>": NEUTRAL,
    "((((": NEUTRAL,
    "🦊": NEUTRAL,
}


@pytest.mark.parametrize("prompt", MADE)
def test_it_says_what_is_to_be_seen(prompt):
    assert alt_text_from(prompt) == MADE[prompt]


def test_what_is_too_long_ends_with_a_phrase_or_else_with_a_word():
    phrases = ", ".join(f"a rather long phrase number {n}" for n in range(9))
    assert alt_text_from(phrases) == "A" + phrases[1 : phrases.index(", a rather long phrase number 4")]
    words = "seventeen " * 30
    assert alt_text_from(words) == ("S" + words[1:120]).strip() == "Seventeen" + " seventeen" * 11
    assert alt_text_from("狐" * 300) == "狐" * LONGEST
    combined = alt_text_from("a\u0301" * 100)  # the accent is a character of its own
    assert (len(combined), combined[-1]) == (124, "\u0301")


@given(st.text(max_size=400))
@example("x" * 100_000)
@example("(" * 4_000)
@example("a by " * 2_000)
@example("[" * 2_000 + ":0.5]")
@example("a" + " " * 3_998 + "b")
def test_of_any_prompt_it_is_one_line_that_fits_and_is_not_empty(prompt):
    made = alt_text_from(prompt)
    assert 0 < len(made) <= LONGEST
    assert made == " ".join(made.split())
    assert "<lora" not in made
