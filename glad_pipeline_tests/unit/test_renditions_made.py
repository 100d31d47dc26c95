"""Renditions as they are made: right files of the right size, alike enough, the same bytes each time, the right crop."""

import base64
import io
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from benchmarks.photos import photo, ssim
from glad_pipeline.media.renditions import ENCODERS, crop_box, placeholder, problem_of, render, rendered
from glad_pipeline.rendition_plan import CENTRE, SOCIAL_SIZE, Focus, Wanted, planned, wanted_of

PIL_NAMES = {"webp": "WEBP", "avif": "AVIF", "social": "JPEG"}


@pytest.fixture(scope="module")
def picture():
    return photo(0)


@pytest.fixture(scope="module")
def made(picture):
    return render(picture, Wanted())[0]


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def coloured(height, width):
    """Red rises from left to right, green from top to bottom."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, np.zeros_like(across)], axis=-1).astype(np.uint8)


def test_each_is_alike_to_the_reduced_picture(picture, made):
    original = Image.fromarray(picture)
    alike = {
        each.suffix: ssim(
            opened(each.body).convert("RGB"), original.resize((each.width, each.height), Image.Resampling.LANCZOS)
        )
        for each in made
        if each.kind != "social"
    }
    assert len(alike) == 6
    assert min(alike.values()) >= 0.98, alike


def test_the_bytes_are_the_same_each_time_on_any_thread_and_made_alone(picture, made):
    plans = planned(Wanted(), width=1_024, height=1_024)
    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda plan: next(rendered(picture, [plan])), plans))
    assert again == made
    assert placeholder(picture) == placeholder(picture.copy())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 2_048), (2_048, 8), (17, 33), (512, 4_096)])
def test_any_shape_becomes_files_of_the_size_and_kind_that_they_say(height, width):
    found, uri = render(coloured(height, width), wanted_of("webp,avif", "16,400,native"))
    assert [(each.kind, each.width, each.height, each.suffix) for each in found] == [
        (plan.kind, plan.width, plan.height, plan.suffix)
        for plan in planned(wanted_of("webp,avif", "16,400,native"), width=width, height=height)
    ]
    for each in found:
        image = opened(each.body)
        assert (image.format, image.size, image.mode) == (PIL_NAMES[each.kind], (each.width, each.height), "RGB")
        assert each.content_type == Image.MIME[image.format]
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile"} & {key for key, value in image.info.items() if value}
    assert uri is not None


def test_while_all_encoders_are_busy_nobody_else_encodes():
    pixels, held = coloured(8, 8), 0
    tiny = planned(Wanted(social=False), width=8, height=8)  # some milliseconds
    while ENCODERS.acquire(blocking=False):
        held += 1
    with ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(lambda: list(rendered(pixels, tiny)))
        try:
            with pytest.raises(TimeoutError):
                rendering.result(timeout=0.7)
        finally:
            ENCODERS.release(held)
        assert rendering.result(timeout=60) == list(rendered(pixels, tiny))
    assert held == max(1, len(os.sched_getaffinity(0)) - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_encoders_let_others_go_first_and_leave_their_caller_s_priority_alone(picture):
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(priority).result()
        rendering = pool.submit(render, picture, Wanted())
        seen = set()
        while not rendering.done():
            seen |= {
                priority(thread.native_id)
                for thread in threading.enumerate()
                if thread.name.startswith("glad-render") and thread.native_id
            }
            time.sleep(0.005)
        assert max(seen) >= 10
        assert pool.submit(priority).result() == before


def priority(thread=None):
    try:
        return os.getpriority(os.PRIO_PROCESS, thread or threading.get_native_id())
    except ProcessLookupError:  # it has ended meanwhile
        return 0


def test_none_is_nothing():
    assert render(coloured(8, 8), wanted_of("none")) == ([], None)


def test_a_view_of_other_pixels_is_rendered_as_what_it_shows():
    pixels = coloured(64, 96)
    pixels.setflags(write=False)
    assert render(pixels[::-1, 8:], Wanted()) == render(pixels[::-1, 8:].copy(), Wanted())


@pytest.mark.parametrize("pixels", [photo(3, 64, 48), coloured(4, 4_096), np.zeros((1, 1, 3), np.uint8)])
def test_the_placeholder_is_a_tiny_webp_in_the_page_itself(pixels):
    uri = placeholder(pixels)
    image = opened(base64.b64decode(uri.removeprefix("data:image/webp;base64,")))
    assert image.format == "WEBP"
    assert image.size == {64: (16, 12), 4_096: (16, 1), 1: (1, 1)}[pixels.shape[1]]


def test_the_placeholder_of_noise_is_short_too():
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert len(placeholder(noise)) <= 400


@given(
    width=st.integers(1, 4_096),
    height=st.integers(1, 4_096),
    focus=st.builds(Focus, st.floats(0, 1), st.floats(0, 1)),
)
def test_a_crop_is_inside_the_picture_as_large_as_can_be_and_about_its_focus(width, height, focus):
    left, top, right, bottom = crop_box(width, height, focus)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left) * SOCIAL_SIZE[1] == pytest.approx((bottom - top) * SOCIAL_SIZE[0])
    assert right - left == pytest.approx(width) or bottom - top == pytest.approx(height)
    x, y = width * focus.percent[0] / 100, height * focus.percent[1] / 100
    assert left - 1e-6 <= x <= right + 1e-6
    assert top - 1e-6 <= y <= bottom + 1e-6
    for middle, aim, low, high, most in (
        ((left + right) / 2, x, left, right, width),
        ((top + bottom) / 2, y, top, bottom, height),
    ):
        assert middle == pytest.approx(aim) or low == 0 or high == pytest.approx(most)


@pytest.mark.parametrize(
    ("height", "width", "focus", "middle"),
    [  # the colour in the middle of the social picture says which part of the original it is
        (300, 200, CENTRE, (127, 127)),
        (300, 200, Focus(0.5, 0.0), (127, 45)),
        (300, 200, Focus(1.0, 1.0), (127, 210)),
        (200, 800, CENTRE, (127, 127)),
        (200, 800, Focus(0.0, 0.5), (60, 127)),
        (200, 800, Focus(0.75, 0.0), (191, 127)),
        (400, 400, Focus(0.2, 0.7), (127, 179)),
        (630, 1_200, Focus(0.0, 1.0), (127, 127)),
    ],
)
def test_the_social_picture_shows_the_part_about_the_focus(height, width, focus, middle):
    (social,) = rendered(
        coloured(height, width), planned(Wanted(formats=()), width=width, height=height, focus=focus), focus
    )
    image = opened(social.body)
    assert image.size == SOCIAL_SIZE
    assert image.getpixel((600, 315))[:2] == pytest.approx(middle, abs=4)


def test_a_pillow_without_avif_is_told_before_a_run_with_the_cure(monkeypatch):
    assert problem_of(Wanted()) is None
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    said = problem_of(Wanted()) or ""
    assert "is built without avif, which GLAD_RENDITIONS asks for" in said
    assert "leave avif out of it" in said
    assert problem_of(wanted_of("webp")) is None
    assert problem_of(wanted_of("none")) is None
