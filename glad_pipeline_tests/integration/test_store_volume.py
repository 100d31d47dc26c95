"""`VolumeStore`: the contract of all stores, and what is a folder's alone."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from glad_pipeline.local.file_server import FileServer
from glad_pipeline.storage import volume_files, volume_folders
from glad_pipeline.storage.keys import DEPLOYMENT
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.volume import VolumeStore
from glad_pipeline_tests.integration.store_contract import Place, StoreContract, noise

PNG = {"content_type": "image/png", "metadata": {}}


class Mount:
    """A volume's mount point: shut, it is the empty folder that is left where nothing is mounted."""

    def __init__(self, root):
        self.root, self.elsewhere = root, root.with_name(f"{root.name}.unmounted")

    def shut(self):
        if not self.elsewhere.exists():
            self.root.rename(self.elsewhere)
            self.root.mkdir()

    def open(self):
        if self.elsewhere.exists():
            self.root.rmdir()
            self.elsewhere.rename(self.root)


class VolumePlace(Place):
    settings = ("GLAD_VOLUME",)
    silence = "mount the volume"

    def __init__(self, root, base_url):
        self.root, self.base_url, self.door = root, base_url, Mount(root)

    def store(self):
        return VolumeStore(bucket=str(self.root), public_base_url=self.base_url)

    def behind_door(self, *, patience=0.0):
        return self.store().with_patience(patience)

    def with_wrong_credentials(self):
        return None


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("volume")
    server = FileServer(str(root), 0)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    place = VolumePlace(root, f"http://127.0.0.1:{server.server_address[1]}")
    place.store().put_once(DEPLOYMENT, b"{}", content_type="application/json", metadata={})
    yield place
    server.shutdown()
    serving.join()
    server.server_close()


class TestVolumeStore(StoreContract):
    """The contract."""


# --- a folder's alone --------------------------------------------------------------------------------------------------

KEY = "generated/ab/" + "ab" * 16 + ".png"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def store(root):
    """A volume that is begun."""
    root.mkdir()
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com/")
    store.put_once(DEPLOYMENT, b"{}", content_type="application/json", metadata={})
    return store


def refused(ask, *words):
    with pytest.raises(StoreError) as error:
        ask()
    for word in words:
        assert word in str(error.value)
    return error.value


def test_visitors_files_are_every_users_and_the_rest_is_ours_alone(store, root):
    os.umask(0o077)
    try:
        store.put_once(KEY, b"x", **PNG)
        store.copy(KEY, f"quarantine/{KEY}")
    finally:
        os.umask(0o022)
    modes = {path.relative_to(root): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    for path, mode in modes.items():
        if path.parts[0] == "public":
            assert mode == (0o755 if (root / path).is_dir() else 0o644), path
        elif path.name != ".glad-volume":
            assert mode == (0o700 if (root / path).is_dir() else 0o600), path


def test_nothing_is_left_in_tmp_and_a_file_is_never_seen_in_parts(store, root):
    store.put_once(KEY, noise(100_000), **PNG)
    assert store.put_once(KEY, b"other", **PNG) is False
    assert [path.name for path in (root / "tmp").iterdir() if not path.name.startswith("lock-")] == []


@pytest.mark.parametrize(
    "key", ["../outside.png", "generated/../../outside.png", "/etc/passwd", "generated//a.png", "generated/./a.png",
            "generated/a\0.png", "generated/" + "x" * 300, "", "generated/\udcff.png"],
)  # fmt: skip
def test_a_key_that_is_no_path_below_the_folder_is_refused_and_nothing_is_found_there(store, root, key):
    (root.parent / "outside.png").write_bytes(b"not ours")
    refused(lambda: store.put_once(key, b"x", **PNG), "no path of a file")
    assert (store.head(key), store.fetch(key), store.heads([key])) == (None, None, {})
    store.delete([key])
    assert (root.parent / "outside.png").read_bytes() == b"not ours"


@pytest.mark.parametrize("where", ["public", "public/generated", "public/generated/ab", f"public/{KEY}"])
def test_no_link_is_followed(store, root, where):
    store.put_once(KEY, b"ours", **PNG)
    outside = root.parent / "outside"
    (root / where).rename(outside)
    (root / where).symlink_to(outside)
    refused(lambda: store.fetch(KEY), "symbolic link", "not followed")
    refused(lambda: store.put_once(KEY.replace(".png", "-256.webp"), b"x", **PNG), "symbolic link") if (
        outside.is_dir()
    ) else None
    assert list(store.listing("generated/")) == [] if not outside.is_dir() else True
    assert outside.exists()


def test_a_folder_that_is_not_there_or_no_folder_is_said_so(root):
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    error = refused(store.check, str(root), "does not exist: create it or correct GLAD_VOLUME")
    assert (error.transient, error.answer) == (False, "no bucket")
    root.write_text("a file")
    assert not refused(store.check, "no folder: correct GLAD_VOLUME").transient


def test_a_folder_with_other_things_in_it_is_not_taken_over(root):
    root.mkdir()
    (root / "holidays.png").write_bytes(b"somebody's")
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    refused(store.check, "holidays.png", "no mark .glad-volume")
    refused(lambda: store.put_once(DEPLOYMENT, b"{}", **PNG), "holidays.png")
    assert [path.name for path in root.iterdir()] == ["holidays.png"]


def test_a_new_volume_is_begun_by_the_deployments_object_alone(root):
    root.mkdir()
    (root / "lost+found").mkdir()  # as every new ext4 has it
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    assert store.is_blank()
    store.check()
    assert [each.level for each in store.probe().found if each.check == "store: room"]
    refused(lambda: store.put_once(KEY, b"x", **PNG), "is the volume mounted?")
    assert [path.name for path in root.iterdir()] == ["lost+found"]
    assert store.put_once(DEPLOYMENT, b"{}", **PNG) is True
    assert not store.is_blank()


def test_of_two_processes_one_has_written_each_key(store, root):
    """Eight threads of the contract have one process's lock; these are two."""
    keys = [f"generated/{n:02x}/{n:032x}.png" for n in range(60)]
    code = (
        "import sys; from glad_pipeline.storage.volume import VolumeStore\n"
        "store = VolumeStore(bucket=sys.argv[1], public_base_url='https://img.example.com')\n"
        "print(sum(store.put_once(f'generated/{n:02x}/{n:032x}.png', sys.argv[2].encode() * 1000, "
        "content_type='image/png', metadata={'by': sys.argv[2]}) for n in range(60)))"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(root), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    assert sum(int(racer.communicate(timeout=60)[0]) for racer in racers) == len(keys)
    for key in keys:
        assert store.fetch(key) == store.head(key).metadata["by"].encode() * 1000


def test_a_process_that_died_before_the_link_has_left_nothing_to_see(store, root, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *_, **__: os.kill(os.getpid(), 9))
    if (pid := os.fork()) == 0:
        store.put_once(KEY, b"first", content_type="image/png", metadata={"by": "the dead"})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    monkeypatch.undo()
    assert (store.head(KEY), list(store.listing("generated/"))) == (None, [])
    assert store.put_once(KEY, b"second", content_type="image/webp", metadata={"by": "the living"}) is True
    assert store.head(KEY).metadata == {"by": "the living"}


def test_a_process_that_is_stopped_in_the_middle_holds_nobody_up_for_good(store, root, monkeypatch):
    monkeypatch.setattr(volume_folders, "LOCK_SECONDS", 0.2)
    top = os.open(root, volume_folders.FOLDER)
    with volume_folders.opened(top, ["tmp"]) as tmp, volume_folders.locked(tmp, volume_files.lock_of(KEY)):
        error = refused(lambda: store.put_once(KEY, b"x", **PNG), "another process holds its lock")
    os.close(top)
    assert error.transient
    assert store.put_once(KEY, b"x", **PNG) is True


def test_names_that_differ_only_in_case_are_one_on_some_file_systems_and_never_mixed_up(store, root):
    store.put_once("generated/ab/lower.png", b"lower", **PNG)
    for area in ("public", "sidecars"):  # as a file system shows it that takes both names for one
        for path in (root / area / "generated/ab").iterdir():
            path.rename(path.with_name(path.name.replace("lower", "LOWER")))
    assert store.head("generated/ab/LOWER.png") is None
    refused(lambda: store.put_once("generated/ab/LOWER.png", b"x", **PNG), "generated/ab/lower.png", "upper case")


def test_a_file_that_somebody_else_put_there_is_an_object_without_metadata(store, root):
    file = root / "public" / KEY
    file.parent.mkdir(parents=True)
    file.write_bytes(b"by hand")
    found = store.head(KEY)
    assert (found.content_type, found.bytes, dict(found.metadata)) == ("image/png", 7, {})
    assert [each.key for each in store.listing("generated/")] == [KEY]
    (root / "sidecars/generated/ab").mkdir(parents=True)
    (root / "sidecars" / f"{KEY}.json").write_text("not json")
    assert store.head(KEY) == found


def test_the_sha256_is_that_of_the_bytes_that_are_there_now(store, root):
    store.put_once(KEY, b"a picture", **PNG)
    (root / "public" / KEY).write_bytes(b"optimised by somebody")
    assert store.sha256(KEY) == hashlib.sha256(b"optimised by somebody").hexdigest()


def test_a_file_in_the_way_of_a_folder_is_said_so(store, root):
    store.put_once("generated/ab", b"x", **PNG)
    refused(lambda: store.put_once(KEY, b"x", **PNG), "a file is where a folder has to be")
    assert store.head(KEY) is None


def test_a_listing_is_in_the_order_of_bytes_where_folders_and_files_mix(store):
    keys = [
        "generated/a",
        "generated/a-b/c",
        "generated/a.png",
        "generated/a0",
        "generated/b/z",
        "generated/b/z/1"[:-2],
    ]
    keys = [*dict.fromkeys(keys), "quarantine/generated/a", ".glad/x"]
    for key in keys:
        store.put_once(key, b"x", **PNG)
    assert [each.key for each in store.listing("")] == sorted([*keys, DEPLOYMENT], key=str.encode)
    assert [each.key for each in store.listing("generated/a")] == sorted(k for k in keys if k.startswith("generated/a"))


@pytest.fixture(scope="module")
def troubles(tmp_path_factory):
    """What a store says of real mounts (`mounted.py`)."""
    command = [
        "unshare",
        "-rm",
        sys.executable,
        "-m",
        "glad_pipeline_tests.mounted",
        str(tmp_path_factory.mktemp("mounts")),
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts of one's own here: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("trouble", "words", "may_pass"),
    [
        ("full", ["the disk of", "is full", "larger volume"], True),
        ("left of it", ["[]"], False),
        ("left in tmp", ["[]"], False),
        ("read-only", ["mounted read-only: mount it so that it can be written"], False),
        ("read-only, before a run", ["mounted read-only"], False),
        ("read-only, read", ["b'{}'"], False),
        ("in parts", ["on one file system: mount one volume at the folder itself"], False),
        ("in parts, before a run", ["on one file system"], False),
        ("unmounted, write", ["could not store generated/aa/b.png", "mount the volume again"], True),
        ("unmounted, read", ["mount the volume again"], True),
        ("unmounted, listing", ["mount the volume again"], True),
        ("left in the mount point", ["[]"], False),
        ("another one", ["another volume is mounted there than before"], False),
    ],
)
def test_what_goes_wrong_with_a_mount_is_said_with_its_cure(troubles, trouble, words, may_pass):
    said, transient = troubles[trouble]
    for word in words:
        assert word in said
    assert transient is may_pass


def test_a_folder_that_we_may_not_write_is_said_so(store, root):
    root.chmod(0o755)
    (root / "tmp").chmod(0o755)
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:  # root may write everywhere
        if os.geteuid() == 0:
            for folder in [each for each in root.parents if "pytest-" in str(each)]:
                folder.chmod(0o755)
            os.setgid(65534)
            os.setuid(65534)
        else:
            (root / "tmp").chmod(0o500)
        try:
            store.put_once(KEY, b"x", **PNG)
        except StoreError as error:
            os.write(writer, f"{error.transient} {error}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    said = os.read(reader, 10_000).decode()
    assert said.startswith("False ")
    assert "may not do that: have it own the folder" in said
