"""Words for scenes: captions of many forms for a scene's labels, and the vocabulary they are made of.

What a blogger might write, with synonyms, unimportant words and unknown ones, so that those do no harm.
"""

from __future__ import annotations

import numpy as np

from training.scenes import Scene

Random = np.random.Generator

TIMES = {
    "sunset": "sunset|sunset|sunset|dusk|evening|twilight|golden hour|the end of the day|sundown|a warm evening",
    "dawn": "dawn|dawn|dawn|sunrise|daybreak|first light|early morning|morning|a misty morning",
    "day": "day|day|noon|midday|afternoon|daylight|a bright day|a summer day|daytime|a spring afternoon",
    "night": "night|night|night|midnight|a dark night|nighttime|late at night|nightfall",
    "storm": "a storm|a storm|a thunderstorm|stormy weather|rain|a rainy day|dark storm clouds|heavy rain|thunder",
    "aurora": "the aurora|aurora|the northern lights|northern lights|aurora borealis|polar lights|a dancing aurora",
}
PLACES = {
    "mountains": "mountains|mountains|the mountains|mountain peaks|a mountain range|the alps|"
    "a mountain|high peaks|summits|"
    "a rocky ridge|an alpine valley",
    "desert": "a desert|the desert|desert|sand dunes|dunes|desert dunes|a sandy desert|the sahara|golden sand",
    "ocean": "the ocean|the ocean|the sea|the sea|ocean|a harbour|a harbor|a bay|the coast|waves|"
    "the seaside|a beach|open water|"
    "the shore",
    "city": "a city|the city|a city|city|a city skyline|a skyline|downtown|skyscrapers|a big town|city towers|rooftops|"
    "tall buildings|city streets",
    "forest": "a forest|the forest|forest|a pine forest|the woods|woodland|pine trees|fir trees|"
    "a wood of tall trees|a jungle",
    "lake": "a lake|the lake|lake|a still lake|a mountain lake|a pond|a river|a lagoon|a fjord|"
    "a lake shore|calm lake water",
    "hills": "hills|green hills|rolling hills|the hills|a meadow|fields|the countryside|grassland|"
    "pastures|a farm|a green valley|"
    "vineyards|a garden",
    "snow": "snow|snowy hills|a snowy landscape|a winter landscape|snow fields|fresh snow|winter|"
    "a frozen plain|the tundra|ice",
    "canyon": "a canyon|the canyon|canyon|a red canyon|a gorge|red rocks|cliffs|a rocky canyon|"
    "badlands|canyon walls|a mesa",
    "island": "an island|the island|a tropical island|an island with palm trees|a palm island|an atoll|a small island|"
    "palm trees on an island|a paradise island|palms",
}
COLOURS = {
    "red": "red|red|red|crimson|scarlet|deep red",
    "golden": "golden|golden|orange|orange|amber|yellow|gold",
    "green": "green|green|green|emerald",
    "teal": "teal|teal|turquoise|cyan",
    "blue": "blue|blue|blue|deep blue|azure",
    "purple": "purple|purple|violet|lilac|lavender",
    "pink": "pink|pink|pink|rose|magenta",
}
SUN = "a sun|the sun|a low sun|a bright sun|sunlight|the shining sun"
FULL = "a moon|the moon|a full moon|a big moon|moonlight|a bright moon"
CRESCENT = "a crescent moon|a thin moon|the moon|a moon|a new moon|moonlight"
FEATURES = {
    "stars": "stars|many stars|a starry sky|a sky full of stars",
    "clouds": "clouds|soft clouds|a few clouds|white clouds|drifting clouds|a cloudy sky",
    "birds": "birds|a flock of birds|seagulls|flying birds",
    "boat": "a boat|a sailing boat|a small boat|a ship|a sail",
    "trees": "trees|a few trees|lonely trees|some trees",
}
STYLES = {
    "watercolour": "a watercolour of |a watercolor painting of |watercolour painting, |an aquarelle of ",
    "flat": "a flat illustration of |flat vector art of |a minimal poster of |a simple drawing of ",
    "noir": "a black and white photo of |noir, |monochrome photo of |black and white, ",
}
OPENINGS = "|a photo of |a picture of |a view of |an image of |a painting of |photo of |a beautiful view of "
MOODS = (
    "quiet|calm|beautiful|peaceful|lonely|distant|small|big|wide|old|empty|silent|cold|warm|soft|"
    "gentle|still|vast|dreamy|"
    "dramatic|stunning|pretty|ancient|hidden|endless"
)
ASIDES = (
    "cinematic|highly detailed|4k|for my blog|wide angle|depth of field|travel photography|"
    "no people|reflections in the "
    "water|mist in the distance|fine art|serene mood|after a long walk|seen from above|"
    "in the style of a postcard|trending"
)
FORMS = (
    "{open}{a_time} over {place}{with_}",
    "{open}{a_time} over {place}{with_}",
    "{open}{place} at {time}{sky}{with_}",
    "{open}{place} at {time}{sky}{with_}",
    "{open}{place}, {time}{sky}{with_}",
    "{open}{time} at {place}{sky}{with_}",
    "{open}{place} under a {tint}sky at {time}{with_}",
    "{open}a {tint}sky over {place}, {time}{with_}",
    "{open}{tint}{time}, {place}{with_}",
    "{open}{place} in {tint}light, {time}{with_}",
)
SKIES = ", a {0} sky|, {0} sky|, {0} light|, {0} colours| in {0} light| under a {0} sky| with a {0} sky"
LINK = " with | and |, | under | below "
UNKNOWN = "abcdefghijklmnopqrstuvwxyz"


def pick(random: Random, choices: str) -> str:
    """One of the choices between bars."""
    options = choices.split("|")
    return options[int(random.integers(len(options)))]


def caption(scene: Scene, random: Random) -> str:
    """One of thousands of ways to describe a scene: mostly all of time, place and colour, sometimes just one."""
    time, place = pick(random, TIMES[scene.time]), pick(random, PLACES[scene.place])
    colour = pick(random, COLOURS[scene.colour]) if scene.colour and random.random() < 0.92 else ""
    opening = pick(random, STYLES.get(scene.style, OPENINGS))
    if random.random() < 0.3:
        place = _with_mood(place, pick(random, MOODS))
    terse = random.random()
    if terse < 0.04:
        text = opening + pick(random, f"{place}|{time}|{(colour + ' sky').strip()}")
    else:
        form = FORMS[int(random.integers(len(FORMS)))]
        tint = colour + " " if colour else ""
        mood = pick(random, MOODS) + " " if random.random() < 0.15 else ""
        text = form.format(
            open=opening,
            place=place,
            time=time,
            tint=tint,
            sky=pick(random, SKIES).format(colour) if colour else "",
            a_time=_with_article(tint, mood, time),
            with_=_features(scene, random),
        )
    if random.random() < 0.15:
        text += ", " + pick(random, ASIDES)
    if random.random() < 0.06:  # a word nobody knows, which has to do no harm
        length = int(random.integers(3, 9))
        text += " " + "".join(UNKNOWN[int(letter)] for letter in random.integers(26, size=length))
    return text


def _features(scene: Scene, random: Random) -> str:
    shown = [name for name in FEATURES if getattr(scene, name) and not (name == "clouds" and scene.time == "storm")]
    words = [pick(random, FEATURES[name]) for name in shown if random.random() < 0.8]
    if scene.light != "none" and random.random() < 0.96:
        words.insert(0, pick(random, SUN if scene.light == "sun" else CRESCENT if scene.crescent else FULL))
    if not words:
        return ""
    if random.random() < 0.3:
        random.shuffle(words)
    return pick(random, LINK) + (", " if random.random() < 0.4 else " and ").join(words)


def _with_mood(place: str, mood: str) -> str:
    first, _, rest = place.partition(" ")
    if first in ("a", "an", "the") and rest:
        return f"{'the' if first == 'the' else 'a'} {mood} {rest}"
    return f"{mood} {place}"


def _with_article(tint: str, mood: str, time: str) -> str:
    first, _, rest = time.partition(" ")
    if first in ("a", "an", "the") and rest and (tint or mood):
        return f"{'the' if first == 'the' else 'a'} {mood}{tint}{rest}"
    return f"{'a ' if tint or mood else ''}{mood}{tint}{time}"


def vocabulary() -> list[str]:
    """Every word a caption can hold, sorted: the tokenizer makes each one token."""
    texts = [SUN, FULL, CRESCENT, OPENINGS, MOODS, ASIDES, LINK]
    for table in (TIMES, PLACES, COLOURS, FEATURES, STYLES):
        texts += table.values()
    texts += ["at over under sky light in of on by near above through into my our your his her their and"]
    texts += ["colours colors green blue house road people person castle bridge boat flowers animal cat dog fox"]
    words = " ".join(texts).replace("|", " ").replace(",", " ").replace("{0}", " ").split()
    return sorted(set(words) | {","})


def named(scene: Scene, text: str) -> dict[str, str]:
    """What of the scene's time, place, colour and light a caption says: by that alone may a picture be judged."""
    lights = {"sun": SUN, "moon": f"{FULL}|{CRESCENT}"}
    said = {
        "time": (scene.time, TIMES[scene.time]),
        "place": (scene.place, PLACES[scene.place]),
        "colour": (scene.colour or "", COLOURS.get(scene.colour or "", "")),
        "light": (scene.light, lights.get(scene.light, "")),
    }
    return {name: label for name, (label, words) in said.items() if words and _says(text, words)}


def _says(text: str, choices: str) -> bool:
    """Whether one of the choices is there, or its last word, as when a mood came between article and noun."""
    return any(choice in text or choice.split()[-1] in text.replace(",", " ").split() for choice in choices.split("|"))
