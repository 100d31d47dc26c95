"""The procedural scenes and their captions: the demo model's ground truth. No torch."""

from dataclasses import replace

import numpy as np
import pytest

from training.captions import caption, named, vocabulary
from training.data import SPLITS, example, examples
from training.scenes import COLOURS, PLACES, TIMES, render, sample


def a_scene(**changes):
    plain = {"style": "plain", "colour": None, "light": "none", "clouds": False, "birds": False, "boat": False}
    return replace(sample(np.random.default_rng(3)), **{**plain, **changes})


def test_a_scene_is_the_same_picture_every_time_and_another_seed_is_another_picture():
    scene = a_scene(time="sunset", place="mountains")
    first = render(scene, 96, 64)
    assert first.shape == (64, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render(scene, 96, 64))
    assert np.abs(first.astype(int) - render(replace(scene, seed=scene.seed + 1), 96, 64)).mean() > 4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("time", TIMES)
def test_a_scene_is_the_same_at_twice_the_size(time, place):
    scene = a_scene(time=time, place=place, stars=False)
    small, large = (render(scene, side, side).reshape(16, side // 16, 16, side // 16, 3) for side in (64, 128))
    assert np.abs(small.mean((1, 3)) - large.mean((1, 3))).mean() < 8


@pytest.mark.parametrize(("width", "height"), [(64, 192), (192, 64), (8, 8), (72, 136)])
@pytest.mark.parametrize("place", PLACES)
def test_any_shape_can_be_drawn(place, width, height):
    scene = a_scene(time="day", place=place, light="sun", clouds=True, birds=True, boat=True, trees=True)
    for style in ("plain", "watercolour", "flat", "noir"):
        assert render(replace(scene, style=style), width, height).shape == (height, width, 3)


def test_light_and_colour_are_what_the_labels_say():
    def mean(**labels):
        return np.mean([render(a_scene(seed=seed, **labels), 48, 48).mean((0, 1)) for seed in range(4)], axis=0)

    assert mean(time="night", place="hills").mean() < 0.4 * mean(time="day", place="hills").mean()
    red, teal = mean(time="sunset", place="ocean", colour="red"), mean(time="day", place="ocean", colour="teal")
    assert red[0] > red[1] + 30
    assert teal[1] > teal[0] + 30


def test_every_time_place_and_colour_is_drawn_and_labels_do_not_contradict():
    scenes = [sample(np.random.default_rng(place)) for place in range(600)]
    assert {scene.time for scene in scenes} == set(TIMES)
    assert {scene.place for scene in scenes} == set(PLACES)
    assert {scene.colour for scene in scenes} == {None, *COLOURS}
    for scene in scenes:
        assert scene.light != "sun" or scene.time in ("sunset", "dawn", "day")
        assert scene.light != "moon" or scene.time in ("night", "aurora")
        assert scene.colour is None or scene.style != "noir"


def test_captions_vary_use_known_words_and_name_what_is_to_be_seen():
    random = np.random.default_rng(0)
    scene = a_scene(time="dawn", place="ocean", colour="pink", light="sun")
    texts = [caption(scene, random) for _ in range(200)]
    assert len(set(texts)) > 190
    known = set(vocabulary())
    unknown = [word for text in texts for word in text.replace(",", " ").split() if word not in known]
    assert len(unknown) < 30
    shares = {name: np.mean([name in named(scene, text) for text in texts]) for name in ("time", "place", "colour")}
    assert min(shares.values()) > 0.8
    assert named(scene, "a quiet harbour at dawn, pink light") == {"time": "dawn", "place": "ocean", "colour": "pink"}


def test_examples_are_decided_by_seed_split_and_place_alone():
    third = list(examples(5, "vae", 3, (32, 32)))[2]
    again = example(5, "vae", 2, (32, 32))
    assert (third.caption, third.scene) == (again.caption, again.scene)
    assert np.array_equal(third.pixels, again.pixels)
    assert len({example(5, split, 2, (32, 32)).scene.seed for split in SPLITS}) == len(SPLITS)
