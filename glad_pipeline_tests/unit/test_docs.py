"""The documents hold: links lead somewhere, files that they name exist, and the diagram of the rooms is the code's."""

import re
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGE = "glad_pipeline"
GROUND = "ground"  # in the diagram: the rooms from `settings` down, which nearly every other room uses
KEYS = {"generated/", "quarantine/"}  # of the bucket: no folders of ours
BASES = (ROOT, ROOT / PACKAGE, ROOT / "glad_pipeline_tests", ROOT / "docs")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(document: Path) -> str:
    """The text without its code blocks."""
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose(document), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {slug if not n else f"{slug}-{n}" for slug, count in found.items() for n in range(count + 1)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading(document):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and (file.suffix != ".md" or anchor not in anchors(file))):
            broken.append(target)
    assert not broken


def test_every_document_is_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        document = left.pop()
        if document not in reached:
            reached.add(document)
            targets = re.findall(r"\]\(([^)\s#:]+\.md)", prose(document))
            left += [file for target in targets if (file := (document.parent / target).resolve()) in DOCUMENTS]
    assert set(DOCUMENTS) - reached == set()


@pytest.mark.parametrize("document", [ROOT / "CONTRIBUTING.md", ARCHITECTURE, ROOT / "docs" / "glossary.md"], ids=named)
def test_every_file_that_a_guide_to_the_code_names_exists(document):
    spans = set(re.findall(r"`([\w.\-]+(?:/[\w.\-]+)*(?:/|\.(?:py|sql|md|toml|yaml)))`", prose(document)))
    files = {span for span in spans - KEYS if "NNNN" not in span and "NAME" not in span}
    assert {span for span in files if not any((base / span).exists() for base in BASES)} == set()


# ---- the diagram of the rooms


@cache
def layers() -> tuple[tuple[str, ...], ...]:
    """The rooms of import-linter's contract, top to bottom."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(each for each in linter["contracts"] if each["type"] == "layers")
    return tuple(tuple(re.split(r"\s*[|:]\s*", layer)) for layer in contract["layers"])


@cache
def ground() -> frozenset[str]:
    """`settings` and the rooms below it."""
    first = next(i for i, layer in enumerate(layers()) if "settings" in layer)
    return frozenset(room for layer in layers()[first:] for room in layer)


@cache
def diagram() -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """The rooms and the arrows of the Mermaid diagram."""
    text = re.search(r"^```mermaid\n(.*?)^```", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert text, f"{named(ARCHITECTURE)} has no Mermaid diagram"
    rooms, arrows = set(), set()
    for line in (each.strip() for each in text.group(1).splitlines()):
        if re.match(r"(flowchart|subgraph|end|%%|direction|$)", line):
            continue
        left, *right = line.split(" --> ")
        ends = [re.split(r"\s*&\s*", side) for side in (left, *right)]
        rooms |= {room for side in ends for room in side}
        arrows |= {(a, b) for i in range(len(right)) for a in ends[i] for b in ends[i + 1]}
    return frozenset(rooms), frozenset(arrows)


@cache
def imports() -> frozenset[tuple[str, str]]:
    """Which room imports which; those of the ground are one for all others."""
    graph = grimp.build_graph(PACKAGE)
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if module.count(".") and imported.count("."):
                room, used = module.split(".")[1], imported.split(".")[1]
                found.add((room, GROUND if used in ground() and room not in ground() else used))
    return frozenset((room, used) for room, used in found if room != used)


def test_the_diagram_has_the_rooms_of_the_contract():
    rooms, _ = diagram()
    assert rooms == {room for layer in layers() for room in layer} | {GROUND}


def test_the_diagram_has_the_arrows_of_the_code():
    _, drawn = diagram()
    to_remove = sorted(" --> ".join(arrow) for arrow in drawn - imports())
    to_add = sorted(" --> ".join(arrow) for arrow in imports() - drawn)
    assert (to_remove, to_add) == ([], []), f"in the diagram of {named(ARCHITECTURE)}: remove {to_remove}, add {to_add}"


def test_the_table_of_the_rooms_has_each_room():
    chapter = ARCHITECTURE.read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    table = re.findall(r"^\| `([a-z_]+)(?:\.py|/)` \|", chapter, re.MULTILINE)
    assert sorted(table) == sorted(room for layer in layers() for room in layer)


def test_the_glossary_is_in_alphabetical_order():
    words = re.findall(r"^\| \*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) >= 30
    assert words == sorted(words, key=str.lower)
