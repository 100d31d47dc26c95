"""What any object store has to do: the promises of `storage/protocol.py`, each tried on a real server.

A store's own module of tests derives a class from `StoreContract` and gives the fixture `place` (`test_store_s3.py` is
an example). Its bucket may be shared by all tests here: each writes under a prefix of its own.
"""

import hashlib
import json
import random
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from glad_pipeline.storage.keys import is_private
from glad_pipeline.storage.protocol import CONCURRENCY, TELL_EVERY, ObjectStore, StoreError
from glad_pipeline_tests.door import Door

PNG = {"content_type": "image/png", "metadata": {}}
RACERS = 8


class Place(ABC):
    """A bucket for tests: anyone may read what is under `generated/` in it, and nothing else.

    It belongs to a deployment: it holds the object `keys.DEPLOYMENT`.
    """

    door: Door  # a way to its server that can be shut
    settings: Sequence[str]  # one of these is named by the cure for wrong credentials
    silence = "network"  # what the cure for one that is away names
    absent: Sequence[int] = (401, 403, 404)  # what a visitor is answered who asks for what is not there, or not public

    def takes(self, key: str) -> bool:
        """Whether the store has such keys at all."""
        return True

    @abstractmethod
    def store(self) -> ObjectStore:
        """The store of this bucket."""

    @abstractmethod
    def behind_door(self, *, patience: float = 0.0) -> ObjectStore:
        """The same, by the way through `door`."""

    @abstractmethod
    def with_wrong_credentials(self) -> tuple[ObjectStore, str] | None:
        """The same with a secret that is wrong, and that secret; None: it asks for none."""

    def visit(self, key: str) -> tuple[int, bytes]:
        """Status and body that a visitor is given at the public URL of a key."""
        status, _, body = visited(self.store().url(key))
        return status, body


def visited(url: str):
    """Status, headers and body that a visitor is given, who has no credentials."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, b""


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


class StoreContract:
    @pytest.fixture(scope="class")
    def store(self, place):
        return place.store()

    @pytest.fixture
    def prefix(self):
        return f"generated/{uuid.uuid4().hex}/"

    @pytest.fixture
    def key(self, prefix):
        return f"{prefix}picture.png"

    @pytest.fixture
    def away(self, place):
        place.door.shut()
        yield place
        place.door.open()

    # --- write once ---------------------------------------------------------------------------------------------------

    def test_of_eight_who_write_a_key_at_once_one_has_written_and_its_bytes_are_there(self, store, key):
        store.check()  # connected: the eight set off together
        bodies = [bytes([racer]) * 20_000 for racer in range(RACERS)]
        together = threading.Barrier(RACERS)

        def race(body):
            together.wait()
            return store.put_once(key, body, content_type="image/png", metadata={"racer": str(body[0])})

        with ThreadPoolExecutor(RACERS) as pool:
            written = list(pool.map(race, bodies))
        assert sorted(written) == [False] * (RACERS - 1) + [True]
        winner = written.index(True)
        assert store.fetch(key) == bodies[winner]
        assert store.head(key).metadata == {"racer": str(winner)}

    def test_what_is_there_is_neither_overwritten_nor_changed(self, store, key):
        assert store.put_once(key, b"first", content_type="image/png", metadata={"a": "b"}) is True
        before = store.head(key)
        assert store.put_once(key, b"other", content_type="image/webp", metadata={"c": "d"}) is False
        assert store.put_once(key, b"first", content_type="image/png", metadata={"a": "b"}) is False
        assert store.head(key) == before
        assert store.fetch(key) == b"first"

    def test_a_key_is_free_again_once_its_object_is_deleted(self, store, key):
        store.put_once(key, b"first", **PNG)
        store.delete([key])
        assert store.put_once(key, b"second", **PNG) is True
        assert store.fetch(key) == b"second"

    # --- what goes with the bytes -------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"recipe-hash": "ab" * 32, "width": "1024", "generated-date": "2026-01-01T00:00:00+00:00"},
            {"provenance": json.dumps({"device": "NVIDIA H200", "torch": "2.13.0+cu130", "slot": [0, 1]})},
            {"odd": """!"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ in the middle, 100 %"""},
        ],
        ids=["none", "ours", "json", "punctuation"],
    )
    def test_metadata_comes_back_as_it_was_given(self, store, key, metadata):
        store.put_once(key, b"x", content_type="image/png", metadata=metadata)
        assert store.head(key).metadata == metadata
        assert store.start(key, 1)[0].metadata == metadata
        assert store.digest(key)[0].metadata == metadata

    def test_metadata_up_to_the_limit_is_stored_and_over_it_refused_with_the_reason(self, store, prefix):
        start = {"recipe-hash": "ab" * 32, "provenance": ""}
        room = store.metadata_room(start)
        assert room >= 1_000  # what a picture of ours needs to say
        full = {**start, "provenance": "x" * room}
        assert store.metadata_room(full) == 0
        store.put_once(f"{prefix}full.png", b"x", content_type="image/png", metadata=full)
        assert store.head(f"{prefix}full.png").metadata == full
        with pytest.raises(StoreError, match=r"over\.png.*metadata") as refused:
            store.put_once(
                f"{prefix}over.png", b"x", content_type="image/png", metadata={**full, "provenance": "x" * (room + 1)}
            )
        assert not refused.value.transient
        assert store.head(f"{prefix}over.png") is None

    def test_metadata_that_is_not_ascii_is_refused(self, store, key):
        with pytest.raises(StoreError, match=r"(?i)ascii") as refused:
            store.put_once(key, b"x", content_type="image/png", metadata={"prompt": "ein Hügel"})
        assert not refused.value.transient
        assert store.head(key) is None

    @pytest.mark.parametrize("kind", ["image/png", "image/webp", "image/avif", "application/json"])
    def test_the_type_is_told_by_every_look_and_to_visitors(self, store, key, kind):
        store.put_once(key, b"x", content_type=kind, metadata={})
        assert store.head(key).content_type == kind
        assert store.start(key, 1)[0].content_type == kind
        assert store.digest(key)[0].content_type == kind
        assert visited(store.url(key))[1]["Content-Type"] == kind

    def test_a_visitor_is_given_the_object_and_may_keep_it_for_ever(self, store, key):
        body = noise(30_000)
        store.put_once(key, body, **PNG)
        status, headers, seen = visited(store.url(key))
        assert (status, seen) == (200, body)
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"

    def test_a_url_is_http_and_ends_with_the_key(self, store, key):
        assert store.url(key).startswith(("http://", "https://"))
        assert store.url(key).endswith(f"/{key}")

    def test_a_visitor_of_what_is_not_there_is_told_so(self, place, store, key):
        assert visited(store.url(key))[0] in place.absent

    # --- reading ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 300_000, 5 << 20])
    def test_bytes_come_back_whole_with_size_and_sha256(self, store, key, size):
        body = noise(size)
        assert store.put_once(key, body, **PNG) is True
        assert store.fetch(key) == body
        assert store.head(key).bytes == size
        assert store.sha256(key) == hashlib.sha256(body).hexdigest()
        stored, digest = store.digest(key)
        assert (stored.key, stored.bytes, digest) == (key, size, hashlib.sha256(body).hexdigest())

    @pytest.mark.parametrize("length", [1, 7, 99, 100, 101, 65_536])
    def test_the_start_of_an_object_is_so_many_bytes_or_all(self, store, key, length):
        body = noise(100)
        store.put_once(key, body, content_type="image/png", metadata={"a": "b"})
        assert store.start(key, length) == (store.head(key), body[:length])

    def test_the_start_of_an_empty_object_is_empty(self, store, key):
        store.put_once(key, b"", content_type="image/png", metadata={"a": "b"})
        assert store.start(key, 100) == (store.head(key), b"")

    def test_what_is_not_there_is_none_and_no_error(self, store, key):
        looks = (store.head, store.fetch, store.sha256, store.digest, partial(store.start, length=10))
        assert [look(key) for look in looks] == [None] * len(looks)
        assert store.heads([key]) == {}
        assert list(store.listing(key)) == []

    def test_many_are_looked_at_at_once_and_those_that_are_not_there_left_out(self, store, prefix):
        there = [f"{prefix}{n}" for n in range(2 * CONCURRENCY)]
        store.each(lambda key: store.put_once(key, key.encode(), **PNG), there)
        wanted = [key for pair in zip(there, (f"{key}-not" for key in there), strict=True) for key in pair]
        assert store.heads(iter(wanted)) == {key: store.head(key) for key in there}
        assert store.each(store.fetch, wanted) == {key: key.encode() for key in there}

    def test_an_error_of_one_look_is_raised(self, store):
        def look(key):
            if key == "b":
                raise StoreError("it is broken")

        with pytest.raises(StoreError, match="it is broken"):
            store.each(look, ["a", "b", "c"])

    # --- listing and deleting -----------------------------------------------------------------------------------------

    def test_a_listing_has_everything_in_the_order_of_the_keys_past_a_thousand(self, store, prefix):
        stems = [f"{prefix}{n % 7:02x}/{n * 977 % 100_000:032x}" for n in range(530)]
        keys = [f"{stem}{end}" for stem in stems for end in (".png", "-256.webp")]
        random.Random(0).shuffle(keys)
        began = datetime.now(UTC)
        store.put_once(f"{prefix.rstrip('/')}-beside/picture.png", b"x", **PNG)
        store.each(lambda key: store.put_once(key, b"x" * (len(key) % 3), **PNG), keys)
        listed = list(store.listing(prefix))
        assert [each.key for each in listed] == sorted(keys, key=str.encode)
        assert all(each.bytes == len(each.key) % 3 for each in listed)
        slack = timedelta(seconds=5)
        assert all(began - slack <= each.modified <= datetime.now(UTC) + slack for each in listed)
        assert all(each.now is None or each.modified - slack <= each.now for each in listed)

    def test_many_are_deleted_whether_they_are_there_or_not(self, place, store, prefix):
        there = [f"{prefix}{n:05}.png" for n in (0, 1, 999, 1_000, 1_001, 2_099)]
        kept = f"{prefix}kept.png"
        store.each(lambda key: store.put_once(key, b"x", **PNG), [*there, kept])
        store.delete(f"{prefix}{n:05}.png" for n in range(2_100))
        assert [each.key for each in store.listing(prefix)] == [kept]
        store.delete([])
        store.delete([f"{prefix}none.png"])
        assert visited(store.url(there[0]))[0] in place.absent

    # --- copying ------------------------------------------------------------------------------------------------------

    def test_a_copy_in_quarantine_is_the_same_and_no_visitor_reads_it(self, place, store, key):
        body = noise(50_000)
        store.put_once(key, body, content_type="image/webp", metadata={"recipe-hash": "ab" * 32})
        target = f"quarantine/{key}"
        for _ in range(2):  # who repeats it makes it again
            assert store.copy(key, target) is True
        original, copy = store.head(key), store.head(target)
        assert (copy.bytes, copy.content_type, copy.metadata) == (
            original.bytes,
            original.content_type,
            original.metadata,
        )
        assert store.fetch(target) == store.fetch(key) == body
        assert visited(store.url(target))[0] in place.absent
        assert visited(store.url(key))[0] == 200

    @pytest.mark.parametrize("private", ["quarantine/{}", ".glad/{}", "candidates/{}"])
    def test_no_visitor_reads_the_private_area(self, place, store, key, private):
        key = private.format(key)
        assert is_private(key)
        assert store.put_once(key, b"nobody's to see", **PNG) is True
        assert [listed.key for listed in store.listing(key)] == [key]
        status, body = place.visit(key)
        assert status in place.absent
        assert b"nobody's to see" not in body
        store.delete([key])
        assert store.head(key) is None

    def test_a_place_where_something_was_stored_is_not_blank(self, store, key):
        store.put_once(key, b"x", **PNG)
        assert store.is_blank() is False

    def test_nothing_is_copied_of_what_is_not_there(self, store, key):
        assert store.copy(key, f"quarantine/{key}") is False
        assert store.head(f"quarantine/{key}") is None

    # --- keys ---------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "name",
        [
            "with a space",
            "plus+and%20percent",
            "a?b&c=d#e",
            "quotes'\"<>",
            "狐 ü",
            "x" * 200,
            ".hidden",
            "~tilde;,@:$!",
        ],
        ids=range(8),
    )
    def test_a_key_of_any_usual_kind_is_written_read_listed_copied_and_deleted(self, place, store, prefix, name):
        key = prefix + name
        if not place.takes(key):
            with pytest.raises(StoreError, match="takes no such key") as error:
                store.put_once(key, b"body", **PNG)
            assert not error.value.transient
            assert (store.head(key), store.fetch(key), store.copy(key, f"{prefix}copy")) == (None, None, False)
            store.delete([key])
            return
        assert store.put_once(key, b"body", **PNG) is True
        assert store.put_once(key, b"body", **PNG) is False
        assert (store.fetch(key), store.head(key).key) == (b"body", key)
        assert store.copy(key, f"{key}-copy") is True
        assert sorted(each.key for each in store.listing(prefix)) == [key, f"{key}-copy"]
        store.delete([key, f"{key}-copy"])
        assert list(store.listing(prefix)) == []

    # --- which store it is --------------------------------------------------------------------------------------------

    def test_stores_of_the_same_settings_are_equal_and_keys_of_a_mapping(self, place, store):
        assert place.store() == store
        assert {place.store(): 1}[store] == 1
        assert store.bucket
        assert store.place

    def test_another_bucket_is_reached_where_the_credentials_reach(self, store):
        assert store.neighbour(store.bucket, store.place) == store
        assert store.neighbour(f"{store.bucket}-none", store.place) != store
        assert store.neighbour(store.bucket, "https://elsewhere.invalid") is None

    def test_a_bucket_that_does_not_exist_is_a_mistake_with_the_cure(self, store, key):
        nowhere = store.neighbour(f"{store.bucket}-none", store.place).with_patience(2)
        for ask in (nowhere.check, lambda: list(nowhere.listing(key))):
            with pytest.raises(StoreError, match=rf"{store.bucket}-none.*does not exist: create it") as error:
                ask()
            assert not error.value.transient

    def test_the_patience_is_changed_for_a_store_of_ones_own(self, store):
        other = store.with_patience(7.5)
        assert (other.patience, other.outage.patience, other.bucket, other.place) == (
            7.5,
            7.5,
            store.bucket,
            store.place,
        )
        assert store.patience == 0
        assert other.outage is other.outage is not store.outage

    def test_it_says_whether_it_keeps_versions_or_that_it_does_not_know(self, store):
        assert store.keeps_versions() in (False, None)  # a bucket made for tests keeps none

    # --- trouble ------------------------------------------------------------------------------------------------------

    def test_a_store_that_is_away_is_an_error_that_may_pass_and_says_what_to_look_at(self, away, key):
        store = away.behind_door()
        requests = {
            "check": store.check,
            "put_once": partial(store.put_once, key, b"x", **PNG),
            "head": partial(store.head, key),
            "heads": partial(store.heads, [key]),
            "start": partial(store.start, key, 10),
            "fetch": partial(store.fetch, key),
            "sha256": partial(store.sha256, key),
            "digest": partial(store.digest, key),
            "listing": lambda: list(store.listing(key)),
            "copy": partial(store.copy, key, f"quarantine/{key}"),
            "delete": partial(store.delete, [key]),
        }

        def refused(name):
            with pytest.raises(StoreError, match=rf"could not .*{store.bucket}.*{away.silence}") as error:
                requests[name]()
            return error.value.transient

        with ThreadPoolExecutor(len(requests)) as pool:  # each takes seconds
            assert dict(zip(requests, pool.map(refused, requests), strict=True)) == dict.fromkeys(requests, True)
        assert store.keeps_versions() is None

    def test_one_with_patience_waits_for_the_store_and_goes_on_when_it_is_back(self, away, key):
        store, told = away.behind_door(patience=60), []
        back, began = threading.Timer(1, away.door.open), time.monotonic()

        def tell(line):
            if not told:  # it has been asked in vain: from now on the store takes a second to come back
                back.start()
            told.append(line)

        store.outage.tell = tell
        assert store.put_once(key, b"x", **PNG) is True
        assert store.fetch(key) == b"x"
        back.join()
        assert 1 <= len(told) <= 1 + (time.monotonic() - began) / TELL_EVERY  # however slow the machine is
        assert all("asked again" in line for line in told)

    def test_a_store_that_is_away_is_asked_again_for_so_long_and_the_reason_is_told(self, away):
        store, told, began = away.behind_door(patience=0.5), [], time.monotonic()
        store.outage.tell = told.append
        with pytest.raises(
            StoreError, match=rf"the store has not answered for \d+ s: could not .*{away.silence}"
        ) as error:
            store.check()
        assert error.value.transient
        assert 1 <= len(told) <= 1 + (time.monotonic() - began) / TELL_EVERY

    def test_nobody_waits_once_the_run_has_given_up(self, away, key):
        store = away.behind_door(patience=5)
        store.outage.give_up()
        with pytest.raises(StoreError, match=r"^could not look at"):
            store.head(key)

    def test_wrong_credentials_are_a_mistake_with_the_cure_and_the_secret_is_not_told(self, place, key):
        if (wrong := place.with_wrong_credentials()) is None:
            pytest.skip("it asks for no credentials")
        store, secret = wrong
        store = store.with_patience(2)  # which it does not wait for
        for ask in (store.check, partial(store.head, key), partial(store.put_once, key, b"x", **PNG)):
            with pytest.raises(StoreError, match="|".join(place.settings)) as error:
                ask()
            assert not error.value.transient
            assert secret not in "".join(traceback.format_exception(error.value))
        assert place.store().head(key) is None
