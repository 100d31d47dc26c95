"""`SupabaseStore` on a server that speaks as Supabase's: the contract of all stores, and Supabase's own traps."""

import json
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from glad_pipeline.diagnosis import Level
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.supabase import SupabaseStore
from glad_pipeline_tests import supabase_server
from glad_pipeline_tests.door import Door
from glad_pipeline_tests.integration.store_contract import Place, StoreContract, visited
from glad_pipeline_tests.supabase_server import SECRET, Supabase


def opened(supabase):
    return SupabaseStore(bucket="images", supabase_url=supabase.url, supabase_key=SECRET)


class SupabasePlace(Place):
    settings = ("SUPABASE_KEY",)
    absent = (400,)

    def takes(self, key):
        return supabase_server.KEY.fullmatch(key) is not None

    def __init__(self, supabase):
        self.supabase, self.door = supabase, Door(supabase.url)

    def store(self):
        return opened(self.supabase)

    def behind_door(self, *, patience=0.0):
        return replace(self.store(), supabase_url=self.door.url, patience=patience)

    def with_wrong_credentials(self):
        secret = f"sb_secret_wrong-{uuid.uuid4().hex}"
        return replace(self.store(), supabase_key=secret), secret


@pytest.fixture(scope="module")
def place():
    with supabase_server.serving(Supabase()) as supabase:
        place = SupabasePlace(supabase)
        yield place
        place.door.shut()


class TestSupabaseStore(StoreContract):
    """The contract."""


KEY = "generated/ab/" + "ab" * 16 + ".png"
PNG = {"content_type": "image/png", "metadata": {"recipe-hash": "ab" * 32}}
LARGE = b"x" * 300_000  # more than a socket swallows unread


@pytest.fixture
def supabase():
    with supabase_server.serving(Supabase()) as served:
        yield served


@pytest.fixture
def store(supabase):
    return opened(supabase)


def staged(supabase):
    return [key for key in supabase.keys("images-private") if key.startswith("staging/")]


# --- write once -------------------------------------------------------------------------------------------------------


def test_an_upload_to_the_key_itself_would_overwrite_and_ours_do_not(supabase, store):
    store.put_once(KEY, b"first", **PNG)
    store.put_once(KEY, b"second", **PNG)
    uploads = [path for method, path in supabase.asked if method == "POST" and path.startswith("/object/images")]
    assert len(uploads) == 2
    assert all(path.startswith("/object/images-private/staging/") for path in uploads)
    assert store.fetch(KEY) == b"first"
    assert staged(supabase) == []  # the loser's is removed


def test_what_is_visible_was_read_again_before(supabase, store):
    supabase.damaged = 1
    with pytest.raises(StoreError, match="damaged on the way") as error:
        store.put_once(KEY, b"a picture", **PNG)
    assert error.value.transient
    assert (supabase.keys("images"), staged(supabase)) == ([], [])
    assert store.with_patience(5).put_once(KEY, b"a picture", **PNG) is True


def test_a_move_whose_answer_was_lost_is_known_by_the_uploads_id(supabase, store):
    supabase.lost.append("/object/move")
    assert store.put_once(KEY, b"a picture", **PNG) is True
    assert store.fetch(KEY) == b"a picture"


def test_a_move_whose_answer_was_lost_to_another_writer_has_not_written(supabase, store):
    store.put_once(KEY, b"theirs", **PNG)
    supabase.lost.append("/object/move")
    assert store.put_once(KEY, b"ours", **PNG) is False
    assert store.fetch(KEY) == b"theirs"


def test_an_upload_that_has_vanished_is_not_taken_for_what_another_has_written(supabase, store):
    store.put_once(f"{KEY}-2", b"x", **PNG)  # the private bucket is there
    theirs = supabase.buckets["images"].objects[f"{KEY}-2"]

    def meanwhile():
        supabase.buckets["images-private"].objects.clear()
        supabase.buckets["images"].objects[KEY] = theirs

    supabase.before["/object/move"] = meanwhile
    assert store.put_once(KEY, b"ours", **PNG) is False
    supabase.before["/object/move"] = supabase.buckets["images-private"].objects.clear
    with pytest.raises(StoreError, match="the upload has vanished: try again") as error:
        store.put_once(f"{KEY}-3", b"ours", **PNG)
    assert error.value.transient


def test_uploads_that_were_never_moved_are_removed_an_hour_later_and_younger_ones_kept(supabase, store):
    store.put_once(KEY, b"x", **PNG)
    objects = supabase.buckets["images-private"].objects
    kept = replace(supabase.buckets["images"].objects[KEY])
    objects["staging/old"] = replace(kept, updated=kept.updated - timedelta(minutes=61))
    objects["staging/young"] = replace(kept, updated=kept.updated - timedelta(minutes=59))
    objects["quarantine/old"] = objects["staging/old"]
    store.put_once(f"{KEY}-2", b"x", **PNG)  # the same process
    assert len(objects) == 3
    replace(store).put_once(f"{KEY}-3", b"x", **PNG)  # another one, with its first write
    assert sorted(objects) == ["quarantine/old", "staging/young"]


# --- the server's traps -----------------------------------------------------------------------------------------------


def test_an_upload_that_is_refused_early_does_not_hang(supabase, store):
    supabase.buckets["images-private"] = supabase_server.Bucket(allowed=["image/webp"], largest=None)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"images-private.*allowed MIME types.*Supabase says: invalid_mime_type"):
        store.put_once(KEY, LARGE, **PNG)
    supabase.buckets["images-private"] = supabase_server.Bucket(largest=1_000)
    with pytest.raises(StoreError, match="raise the file size limit"):
        store.put_once(KEY, LARGE, **PNG)
    assert time.monotonic() - began < 10  # the server's time-out is 30 s


def test_a_kept_connection_that_the_server_has_closed_is_no_outage(supabase, store):
    assert store.head(KEY) is None
    supabase.lost.append(f"/object/info/images/{KEY}")
    assert store.head(KEY) is None


def test_every_object_has_our_type_and_cache_header_word_for_word(supabase, store):
    store.put_once(KEY, b"x", content_type="image/avif", metadata={})
    kept = supabase.buckets["images"].objects[KEY]
    assert (kept.type, kept.cache) == ("image/avif", "public, max-age=31536000, immutable")


def test_a_removal_that_was_not_done_is_noticed_though_supabase_answers_without_an_error(supabase, store):
    store.put_once(KEY, b"x", **PNG)
    supabase.powerless = True
    with pytest.raises(StoreError, match=rf"{KEY} is still there: SUPABASE_KEY may not delete"):
        store.delete([f"{KEY}-none", KEY])
    store.delete([f"{KEY}-none"])


def test_a_pictures_absent_objects_are_looked_for_together(supabase, store):
    store.put_once(f"quarantine/{KEY}", b"x", **PNG)
    store.delete([f"quarantine/{KEY}"])
    supabase.asked.clear()
    stem = KEY.removesuffix(".png")
    store.delete([f"quarantine/{stem}-{each}.webp" for each in range(9)])
    assert len(supabase.asked) == 2


def test_what_is_private_lies_in_a_bucket_of_its_own_that_is_made_when_it_is_needed(supabase, store):
    assert store.head(".glad/deployment.json") is None
    assert list(store.listing("quarantine/")) == []
    store.put_once(".glad/deployment.json", b"{}", content_type="application/json", metadata={})
    assert supabase.buckets["images-private"].public is False
    assert (supabase.keys("images"), supabase.keys("images-private")) == ([], [".glad/deployment.json"])
    for bucket in ("images", "images-private"):
        assert visited(f"{supabase.url}/storage/v1/object/public/{bucket}/.glad/deployment.json")[0] == 400


@pytest.mark.parametrize(("bucket", "public"), [("images", False), ("images-private", True)])
def test_a_bucket_that_is_private_where_it_has_to_be_public_is_refused_and_the_other_way_round(
    supabase, store, bucket, public
):
    supabase.buckets[bucket] = supabase_server.Bucket(public=public)
    with pytest.raises(
        StoreError, match=rf"'{bucket}' at Supabase {supabase.url} is (private|public).*make it (private|public)"
    ):
        store.check()
    if public:
        with pytest.raises(StoreError, match="is public, and has to keep from visitors"):
            store.put_once(KEY, b"x", **PNG)
        assert supabase.keys(bucket) == []


def test_a_listing_of_everything_has_both_areas_in_one_order(store):
    for key in ("quarantine/a", "generated/b", ".glad/c", "generated/a", "z"):
        store.put_once(key, b"x", **PNG)
    for prefix, ends in (("", 5), ("gen", 2), ("generated/", 2), ("quarantine/", 1)):
        listed = [each.key for each in store.listing(prefix)]
        assert (listed, len(listed)) == (sorted(listed), ends)


def test_a_prefix_whose_signs_stand_for_others_lists_only_what_begins_with_it(store):
    for name in ("generated/a_b", "generated/axb"):
        store.put_once(f"{name}.png", b"x", **PNG)
    assert [each.key for each in store.listing("generated/a_")] == ["generated/a_b.png"]


def test_a_bucket_that_does_not_exist_is_not_taken_for_an_empty_one(supabase, store):
    supabase.buckets.clear()
    with pytest.raises(StoreError, match="'images' does not exist: create it") as error:
        list(store.listing("generated/"))
    assert error.value.answer == "no bucket"
    with pytest.raises(StoreError, match="'images' does not exist: create it"):
        store.put_once(KEY, b"x", **PNG)
    assert store.head(KEY) is None


@pytest.mark.parametrize("status", [500, 503, 544, 429, 423, 502])
def test_what_may_pass_is_asked_again_for_a_moment_and_then_an_error_that_may_pass(supabase, store, status):
    said = json.dumps({"statusCode": str(status), "error": "Internal", "message": "busy"}).encode()
    supabase.failing += [(status, said)] * 2
    assert store.head(KEY) is None
    supabase.failing += [(status, said)] * 3
    with pytest.raises(StoreError, match="Supabase says: Internal: busy") as error:
        store.head(KEY)
    assert error.value.transient


def test_a_paused_project_is_no_outage_that_passes(supabase, store):
    supabase.failing.append((540, b"<html>paused</html>"))
    with pytest.raises(StoreError, match="the project is paused: restore it") as error:
        store.check()
    assert not error.value.transient


def test_a_page_in_supabases_place_is_neither_an_object_nor_nothing(supabase, store):
    supabase.page = b"<html>Please log in</html>"
    for ask in (store.check, lambda: store.head(KEY), lambda: store.fetch(KEY), lambda: list(store.listing(KEY))):
        with pytest.raises(StoreError, match="another server answers in Supabase's place") as error:
            ask()
        assert error.value.answer == "no bucket"
    supabase.page = None
    supabase.failing.append((404, b'{"message": "no Route matched with those values"}'))
    with pytest.raises(StoreError, match="another server answers in Supabase's place"):
        store.head(KEY)


@pytest.mark.parametrize("said", [b"{}", b"[]", b'"ok"', b"null", b'{"objects": [{}]}', b'{"id": 1, "size": "x"}'])
def test_json_of_another_server_is_neither_an_object_nor_nothing(supabase, store, said):
    asks = {
        "check": store.check,
        "head": lambda: store.head(KEY),
        "listing": lambda: list(store.listing(KEY)),
        "delete": lambda: store.delete([KEY]),
        "copy": lambda: store.copy(KEY, f"{KEY}-2"),
        "put_once": lambda: store.put_once(KEY, b"x", **PNG),
    }
    for name, ask in asks.items():
        if name == "delete" and said == b"[]":  # Supabase's own: nothing was there
            continue
        with supabase.lock:
            supabase.failing[:] = [(200, said)] * 9
        with pytest.raises(StoreError, match="another server answers in Supabase's place") as error:
            ask()
        assert error.value.answer == "no bucket", name
    supabase.failing.clear()
    store.put_once(f"{KEY}-2", b"x", **PNG)
    supabase.before["/object/move"] = lambda: supabase.failing.append((200, said))  # after the upload
    with pytest.raises(StoreError, match="another server answers in Supabase's place"):
        store.put_once(KEY, b"x", **PNG)


@pytest.mark.parametrize("said", [{"message": "no Route matched"}, {"message": "Successfully moved"}])
def test_a_message_of_another_server_has_not_moved_an_upload(supabase, store, said):
    supabase.before["/object/move"] = lambda: supabase.failing.append((200, json.dumps(said).encode()))
    with pytest.raises(StoreError, match="another server answers in Supabase's place"):
        store.put_once(KEY, b"a picture", **PNG)
    assert supabase.keys("images") == []


def test_a_move_that_names_no_id_is_looked_at(supabase, store):
    supabase.nameless = True
    assert store.put_once(KEY, b"a picture", **PNG) is True
    assert store.fetch(KEY) == b"a picture"


def test_a_listing_whose_next_page_is_not_named_is_not_taken_for_all_of_it(supabase, store):
    supabase.failing.append((200, b'{"objects": [], "hasNext": true}'))
    with pytest.raises(StoreError, match="another server answers in Supabase's place"):
        list(store.listing(KEY))


# --- keys and addresses -----------------------------------------------------------------------------------------------


def test_a_key_of_the_newer_generation_is_no_bearer_and_one_of_the_older_is_both(supabase, store):
    store.check()
    assert "authorization" not in supabase.headers[-1]
    older = supabase_server.jwt("service_role")
    replace(store, supabase_key=older).check()
    assert (supabase.headers[-1]["apikey"], supabase.headers[-1]["authorization"]) == (older, f"Bearer {older}")


def test_a_key_that_the_project_does_not_know_is_told_with_the_cure(store):
    unknown = supabase_server.jwt("service_role", signature="anothers")
    with pytest.raises(StoreError, match=r"SUPABASE_KEY is not a key of this project.*signature verification") as error:
        replace(store, supabase_key=unknown).check()
    assert not error.value.transient
    assert unknown not in str(error.value)


@pytest.mark.parametrize(
    ("url", "key", "reason"),
    [
        (None, "sb_publishable_abcdef", "SUPABASE_KEY cannot be used: it is the publishable key"),
        (None, supabase_server.jwt("anon"), "SUPABASE_KEY cannot be used: it is the anon key"),
        ("http://example.com", SECRET, "SUPABASE_URL cannot be used: it has to begin with https"),
    ],
)
def test_a_store_of_a_key_or_an_address_that_cannot_be_asks_nobody(supabase, store, url, key, reason):
    with pytest.raises(StoreError, match=reason) as error:
        replace(store, supabase_url=url or supabase.url, supabase_key=key).check()
    assert key not in str(error.value)
    assert supabase.asked == []


def test_the_public_address_is_the_settings_or_supabases_own(store, supabase):
    assert store.url(KEY) == f"{supabase.url}/storage/v1/object/public/images/{KEY}"
    assert replace(store, public_base_url="https://cdn.example.com/").url(KEY) == f"https://cdn.example.com/{KEY}"


# --- the look before a run --------------------------------------------------------------------------------------------


def test_the_look_leaves_nothing_behind(supabase, store):
    found = store.probe().found
    assert [(each.check, each.level) for each in found] == [("store: trial", Level.OK)]
    assert (supabase.keys("images"), supabase.keys("images-private")) == ([], [])


def test_a_look_with_a_key_that_may_not_delete_says_so(supabase, store):
    supabase.powerless = True
    with pytest.raises(StoreError, match="may not delete"):
        store.probe()
