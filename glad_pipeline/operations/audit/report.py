"""What an audit found: by kind, how many, how many are mended, and some by name. For people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from glad_pipeline.display import counted

# What has to be mended: the meaning, and the cure.
PROBLEMS = {
    "lost": (
        "published prompts whose post or picture's row is gone",
        "work them again (`prompt_ids` in the launchpad); `glad prompts cancel` those whose post you have deleted",
    ),
    "duplicates": ("posts made twice for one prompt, or prompts that share a post made for one", "remove one by hand"),
    "dead_links": (
        "published posts that show a picture which is not in the store",
        "--fix, then the next run draws it",
    ),
    "ghosts": ("catalogued pictures without object", "--fix has them drawn again"),
    "damaged": (
        "objects that are not what the catalogue says",
        "--fix moves them to quarantine/ and has them drawn again",
    ),
    "unreadable": (
        "objects that are listed and cannot be read",
        "see to the store (its disks, its log); delete by hand what is lost for good, then --fix has it drawn again",
    ),
    "dead_addresses": (
        "addresses of our pictures on published posts at which visitors are given no picture",
        "see that they lead to the store; `glad urls rewrite` where the public address has changed",
    ),
    "not_removed": ("objects of pictures that were taken down", "--fix deletes them"),
    "orphans": ("objects that no row of images knows", "--fix moves them to quarantine/"),
    "missing_thumbnails": ("pictures whose thumbnail is gone", "--fix makes them anew"),
    "missing_renditions": ("pictures of which renditions are gone or damaged", "--fix makes them anew"),
    "other_addresses": (
        "addresses of our pictures on posts that are not those of the settings",
        "`glad urls rewrite`, or set GLAD_PUBLIC_BASE_URL to what they have",
    ),
    "dead_messages": (
        "outbox messages that were given up",
        "`glad outbox list` says why, `glad outbox retry` sends them again",
    ),
}
# What a visitor, or the owner of a prompt, is harmed by; the rest costs space and time alone.
BROKEN_PROMISES = (
    "lost",
    "duplicates",
    "dead_links",
    "ghosts",
    "damaged",
    "unreadable",
    "dead_addresses",
    "not_removed",
)
LEFT_OVER = tuple(kind for kind in PROBLEMS if kind not in BROKEN_PROMISES)
MOVED = ("orphans", "ghosts", "damaged", "not_removed")  # findings for which --fix moves, deletes or redraws pictures
# What is only reported: it is on its way, or none of ours.
NOTES = {
    "within_grace": "objects without a row, younger than the grace period",
    "in_use": "objects without a row that a prompt in the queue may be about to use",
    "redrawing": "pictures without object that wait to be drawn again",
    "unshown": "pictures without object whose post is gone or shows another one; left alone",
    "elsewhere": "pictures in a bucket that this database had before; not looked at",
    "unvisited": "addresses that were not visited, since too many others of their base show no picture",
    "foreign": "objects under generated/ that are none of ours; left alone",
    "stuck": "prompts held by a run that is gone; the next run takes them over",
    "waiting": "pictures that are due and not published yet; the next run publishes them",
    "undelivered": "outbox messages that wait to be delivered",
}


@dataclass(slots=True)
class Finding:
    """One kind of finding."""

    found: int = 0
    mended: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Report:
    """The outcome of an audit."""

    place: str  # the bucket, for people
    fix: bool
    deep: bool
    shown: int = 10  # examples kept of each kind
    objects: int = 0  # under generated/
    pictures: int = 0  # in the catalogue and not taken down
    visited: int = 0  # addresses on published posts
    stopped: bool = False  # --fix has reached the most that may be moved
    findings: dict[str, Finding] = field(default_factory=lambda: {kind: Finding() for kind in (*PROBLEMS, *NOTES)})

    def add(self, kind: str, examples: Iterable[str], *, mended: int = 0) -> None:
        """Count each example; the first ones are kept."""
        finding = self.findings[kind]
        finding.mended += mended
        for example in examples:
            finding.found += 1
            if len(finding.examples) < self.shown:
                finding.examples.append(example)

    def count(self, kind: str, found: int, examples: Iterable[str]) -> None:
        """Add so many, of which these are examples."""
        finding = self.findings[kind]
        finding.found += found
        finding.examples += list(examples)[: self.shown - len(finding.examples)]

    def to_move(self) -> int:
        """How many pictures and objects --fix would move, delete or have drawn again."""
        return sum(self.findings[kind].found for kind in MOVED)

    def looked_at(self) -> int:
        """Objects, or pictures of the catalogue where there are more of them."""
        return max(self.objects, self.pictures)

    def remaining(self, *kinds: str) -> int:
        """How many findings (of these kinds, or of all) are there still."""
        return sum(self.findings[kind].found - self.findings[kind].mended for kind in kinds or PROBLEMS)

    def remaining_in_words(self, kinds: Iterable[str]) -> str:
        """The findings of these kinds that are there still, each with its number; empty: none."""
        return counted({kind.replace("_", " "): self.remaining(kind) for kind in kinds})

    def as_dict(self) -> dict[str, Any]:
        return {
            "bucket": self.place,
            "objects": self.objects,
            "pictures": self.pictures,
            "visited": self.visited,
            "fix": self.fix,
            "deep": self.deep,
            "remaining": self.remaining(),
            "faults": {kind: asdict(self.findings[kind]) for kind in PROBLEMS},
            "notes": {
                kind: {"found": f.found, "examples": f.examples} for kind in NOTES for f in [self.findings[kind]]
            },
        }

    def __str__(self) -> str:
        how = "whole bodies read" if self.deep else "keys and sizes compared"
        visits = f", {self.visited:,} addresses visited" if self.visited else ""
        lines = [f"{self.place}: {self.objects:,} objects, {self.pictures:,} pictures in the catalogue, {how}{visits}"]
        for kind, (meaning, cure) in PROBLEMS.items():
            finding = self.findings[kind]
            if not finding.found:
                continue
            left = finding.found - finding.mended
            state = f"{finding.mended:,} mended, {left:,} left; " * self.fix + f"to mend: {cure}"
            state = state if left else f"{finding.mended:,} mended"
            lines += ["", f"{kind.replace('_', ' ')}: {finding.found:,} {meaning}; {state}", *_listed(finding)]
        notes = [(kind, self.findings[kind]) for kind in NOTES if self.findings[kind].found]
        for kind, finding in notes:
            lines += ["", f"{kind.replace('_', ' ')}: {finding.found:,} {NOTES[kind]}", *_listed(finding)]
        if self.stopped:
            lines += ["", "not all was mended: it would have been more than was allowed; see --at-most"]
        found = sum(self.findings[kind].found for kind in PROBLEMS)
        if not found:
            verdict = "nothing is amiss"
        elif not self.remaining():
            verdict = f"all {found:,} findings are mended"
        else:
            verdict = f"{self.remaining():,} of {found:,} findings remain"
        return "\n".join([*lines, "", verdict])


def _listed(finding: Finding) -> list[str]:
    more = finding.found - len(finding.examples)
    return [f"  {example}" for example in finding.examples] + ([f"  … and {more:,} more"] if more else [])
