"""Which renditions a picture gets: what settings and rows may ask for, and what is made of it."""

import re

import pytest

from glad_pipeline.publishing.public_picture import PublicPicture
from glad_pipeline.records import DuePrompt
from glad_pipeline.rendition_plan import CENTRE, NATIVE, SUFFIX, Focus, Wanted, parse_focus, planned, wanted_of

EVERY = {"social": False, "placeholder": False}


def widths(width, height=64, *, of=None):
    return [
        (plan.width, plan.height) for plan in planned(of or Wanted(), width=width, height=height) if plan.kind == "webp"
    ]


def test_the_default_settings_are_the_default():
    assert wanted_of("webp,avif") == Wanted()


@pytest.mark.parametrize(
    ("renditions", "asked", "wanted"),
    [
        ("none", "400", Wanted(widths=(), formats=(), **EVERY)),
        (" AVIF ", "native", Wanted(widths=(NATIVE,), formats=("avif",))),
        ("webp, webp", "640, 16,640", Wanted(widths=(640, 16), formats=("webp",))),
    ],
)
def test_settings_are_read_as_people_write_them(renditions, asked, wanted):
    assert wanted_of(renditions, asked) == wanted
    assert bool(wanted) is (renditions != "none")


@pytest.mark.parametrize("renditions", ["", "none,webp", "png", "webp;avif", "webp,", "jpeg,webp"])
def test_formats_that_there_are_not_are_refused_with_the_cure(renditions):
    said = re.escape(f"{renditions!r}: it has to be one or more of webp, avif, separated by commas, or `none` alone")
    with pytest.raises(ValueError, match=said):
        wanted_of(renditions)


@pytest.mark.parametrize("asked", ["", "0", "15", "4097", "4e2", "-400", "400 800", "auto", "400,,800", "99999999999"])
def test_widths_that_cannot_be_are_refused_with_the_cure(asked):
    with pytest.raises(ValueError, match=re.escape(f"{asked!r}: it has to be widths of 16 to 4,096 pixels")):
        wanted_of("webp", asked)


@pytest.mark.parametrize(
    ("width", "height", "made"),
    [
        (1_024, 1_024, [(1_024, 1_024), (800, 800), (400, 400)]),
        (1_200, 630, [(1_200, 630), (800, 420), (400, 210)]),
        (1_536, 640, [(1_536, 640), (1_200, 500), (800, 333), (400, 167)]),
        (401, 64, [(401, 64), (400, 64)]),
        (400, 1, [(400, 1)]),
        (1, 1, [(1, 1)]),
        (4_096, 8, [(4_096, 8), (1_200, 2), (800, 2), (400, 1)]),
    ],
)
def test_no_rendition_is_enlarged_made_twice_or_without_height(width, height, made):
    assert widths(width, height) == made


def test_without_the_native_width_a_small_picture_is_still_shown():
    assert widths(512, of=wanted_of("webp", "400,800,1200")) == [(512, 64), (400, 50)]
    assert widths(64, of=wanted_of("webp", "400")) == [(64, 64)]


def test_the_key_of_each_rendition_says_what_it_is():
    plans = planned(wanted_of("webp,avif", "400"), width=1_024, height=768)
    assert [(plan.suffix, plan.content_type) for plan in plans] == [
        ("-w400.webp", "image/webp"),
        ("-w400.avif", "image/avif"),
        ("-social.jpg", "image/jpeg"),
    ]


@pytest.mark.parametrize("focus", [CENTRE, Focus(0, 1), Focus(0.504, 0.496), Focus(1, 0.07)])
def test_another_crop_has_another_key_and_every_key_is_known_by_its_pattern(focus):
    *_, social = planned(Wanted(), width=4_096, height=512, focus=focus)
    assert (
        social.suffix
        == {
            CENTRE: "-social.jpg",
            Focus(0.504, 0.496): "-social.jpg",  # to the percent the same crop
            Focus(0, 1): "-social-0-100.jpg",
            Focus(1, 0.07): "-social-100-7.jpg",
        }[focus]
    )
    assert all(re.fullmatch(SUFFIX, plan.suffix) for plan in planned(Wanted(), width=4_096, height=512, focus=focus))
    assert not re.fullmatch(SUFFIX, "-256.webp")


@pytest.mark.parametrize(
    ("text", "focus"),
    [
        ("0.5,0.3", Focus(0.5, 0.3)),
        (" .25 , 1 ", Focus(0.25, 1)),
        ("0,1.0", Focus(0, 1)),
        ("centre", CENTRE),
        ("Center", CENTRE),
        ("top", Focus(0.5, 0)),
        ("top centre", Focus(0.5, 0)),
        ("top left", Focus(0, 0)),
        ("left top", Focus(0, 0)),
        ("TOP-RIGHT", Focus(1, 0)),
        ("left", Focus(0, 0.5)),
        ("right", Focus(1, 0.5)),
        ("bottom_left", Focus(0, 1)),
        ("bottom", Focus(0.5, 1)),
        ("bottom, right", Focus(1, 1)),
    ],
)
def test_a_focus_is_two_numbers_or_words(text, focus):
    assert parse_focus(text) == focus


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0.5",
        "0.5;0.3",
        "1.1,0",
        "-0.1,0",
        "nan,0",
        "50,30",
        "0.5,0.3,0.1",
        "left right",
        "top top",
        "top centre left",
        "top, middle, right",
        "face",
        ",",
    ],
)
def test_what_is_no_focus_is_refused_with_the_cure(text):
    with pytest.raises(ValueError, match=re.escape(f"focus {text!r} must be two numbers from 0 to 1")):
        parse_focus(text)


@pytest.mark.parametrize("focus", [None, "left right", "top left"])
def test_a_post_s_cover_is_that_of_the_centre_where_the_row_names_no_point_or_its_own_is_not_there(focus):
    stem = f"generated/ab/{'ab' * 16}"
    prompt = DuePrompt(
        **{"id": 1, "seed": 1, "prompt": "a hill", "focus": focus, "image_url": f"https://h/{stem}.png"},
        **{"image_key": f"{stem}.png", "image_bytes": 1, "image_sha256": "0" * 64, "image_width": 9, "image_height": 9},
        image_renditions=[{"kind": "social", "width": 1200, "key": f"{stem}-social.jpg"}],
    )
    assert PublicPicture.of(prompt).social == f"https://h/{stem}-social.jpg"
