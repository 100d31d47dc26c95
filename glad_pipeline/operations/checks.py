"""What must be true after every run, looked at in cheap samples: the queue, the catalogue, the store, the posts.

With a run's claim: a picture of that run that has a problem does not become a post. It is drawn again, or waits for a
person.
The docstring of a check is what the web UI says of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from glad_pipeline.database import Connection, Database
from glad_pipeline.display import one_line
from glad_pipeline.limits import URL_CHARS
from glad_pipeline.media.gates import blank
from glad_pipeline.outbox.messages import dead
from glad_pipeline.pipeline.visit import problem_of_url
from glad_pipeline.prompts.queue import Claim, hold_back
from glad_pipeline.prompts.queue_state import newest_texts, overdue
from glad_pipeline.prompts.syntax import text_notices
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.publishing.posts import bad_urls
from glad_pipeline.redaction import redact
from glad_pipeline.storage.protocol import ObjectStore

SAMPLE = 20
VISITS = 3
TEXTS = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Whether it is true, in words, and with figures."""

    passed: bool
    description: str | None
    figures: Mapping[str, float | list[str] | list[int]]
    named: Collection[int] = ()  # all the prompts it is about, where somebody wants to know


def no_expired_lease(database: Database) -> Finding:
    """No prompt is still claimed although its lease is over: every run returns or finishes what it takes."""
    prompts = database.read(overdue)
    description = f"{len(prompts)} prompts are held by runs that went silent" if prompts else "every lease is alive"
    return Finding(passed=not prompts, description=description, figures={"prompts": prompts})


def texts_are_drawn_as_meant(database: Database, syntax: str) -> Finding:
    """Nothing in the newest 1,000 prompts is drawn as bare letters that was written for another tool, or was cut off.

    `syntax`: by which prompts are read that do not name theirs.
    """
    looked_at = database.read(partial(newest_texts, limit=TEXTS))
    found = {
        each.id: "; ".join(
            [f"{each.tokens_dropped} tokens were cut off"] * bool(each.tokens_dropped)
            + [*text_notices(each.prompt, each.negative_prompt, syntax=each.prompt_syntax or syntax)]
        )
        for each in looked_at
    }
    odd = {prompt_id: said for prompt_id, said in found.items() if said}
    first = "; ".join(f"prompt {prompt_id}: {said}" for prompt_id, said in islice(odd.items(), 1))
    told = f"{len(odd)} of {len(looked_at)} looked at. {one_line(redact(first), 300)}" if odd else None
    return Finding(passed=not odd, description=told, figures={"prompts": list(odd)[:SAMPLE]} if odd else {})


def none_put_aside(reasons: Mapping[int, str]) -> Finding:
    """No prompt was rejected or failed: none has a reason."""
    first = "; ".join(f"prompt {i}: {why}" for i, why in islice(reasons.items(), 3))
    description = f"{len(reasons)} were put aside. {first}" if reasons else None
    figures = {"prompts": list(reasons)[:SAMPLE]} if reasons else {}
    return Finding(passed=not reasons, description=description, figures=figures, named=list(reasons))


def together(findings: Sequence[Finding]) -> Finding:
    """What several looks of one run have found, the oldest first."""
    figures: dict[str, Any] = {}
    for name, value in (entry for each in findings for entry in each.figures.items()):
        figures[name] = [*figures.get(name, []), *value] if isinstance(value, list) else value
    failed = [each.description for each in findings if not each.passed and each.description]
    return Finding(
        passed=all(each.passed for each in findings),
        description="; ".join(failed) or findings[-1].description,
        figures=figures,
        named=[i for each in findings for i in each.named],
    )


def objects_match_catalogue(
    database: Database, store: ObjectStore, claim: Claim | None = None, *, keys: Collection[str] | None = None
) -> Finding:
    """The newest 20 catalogued pictures are in the store with the size, type and SHA-256 that the catalogue says."""
    newest = database.read(partial(_catalogued, keys=keys))
    objects = store.heads(image.key for image in newest)
    wrong = [
        image.key
        for image in newest
        if (stored := objects.get(image.key)) is None
        or (stored.bytes, stored.content_type, stored.metadata.get("sha256"))
        != (image.bytes, image.content_type, image.sha256)
    ]
    description = (
        f"{len(wrong)} of {len(newest)} looked at are missing or differ" if wrong else f"{len(newest)} looked at"
    )
    held: dict[str, Any] = {}
    if claim is not None:
        missing = [image.id for image in newest if image.key not in objects]
        if missing and (again := database.transact("look_again", partial(claim.looked_again, seen=[], gone=missing))):
            held["prompts_drawn_again"] = again
        held |= _held(database, [key for key in wrong if key in objects], "its picture is not what was stored")
    return Finding(
        passed=not wrong, description=description, figures={"looked_at": len(newest), "wrong": wrong, **held}
    )


def no_blank_picture(database: Database, *, keys: Collection[str] | None = None) -> Finding:
    """None of the newest 20 pictures is blank: the gate before the store has held."""
    newest = database.read(partial(_catalogued, keys=keys))
    contrasts = {image.key: image.contrast for image in newest if image.contrast is not None}
    found = [key for key, contrast in contrasts.items() if blank.problem_of(contrast)]
    description = f"{len(found)} of {len(newest)} looked at are blank" if found else f"{len(newest)} looked at"
    lowest = {"lowest_contrast": min(contrasts.values())} if contrasts else {}
    held = _held(database, found, "its picture is blank")
    return Finding(passed=not found, description=description, figures={"blank": found, **lowest, **held})


def _catalogued(connection: Connection, keys: Collection[str] | None) -> list[CataloguedImage]:
    """The pictures with these keys; None: the newest, a sample of them."""
    return images.newest(connection, SAMPLE) if keys is None else images.with_keys(connection, keys)


def _held(database: Database, keys: list[str], reason: str) -> dict[str, list[int]]:
    """Pictures with a problem do not become posts until a person decides; what they have approved stays approved."""
    cure = "`glad prompts approve` publishes it all the same, `glad prompts reject` refuses it"
    reasons = dict.fromkeys(keys, f"{reason}: {cure}")
    held = database.transact("hold_back", partial(hold_back, reasons=reasons)) if keys else []
    return {"prompts_held_back": held} if held else {}


def urls_are_public(database: Database) -> Finding:
    """The picture URLs of the newest 1,000 posts are http(s), short enough, neither base64 nor relative."""
    slugs = database.read(partial(bad_urls, limit=1_000))
    description = f"{len(slugs)} posts have a URL that is not http(s) or over {URL_CHARS} characters" if slugs else None
    return Finding(passed=not slugs, description=description, figures={"posts": slugs[:SAMPLE]})


def pictures_answer(database: Database) -> Finding:
    """The newest 3 pictures answer to anybody, as they will to the blog's visitors."""
    newest = database.read(partial(images.newest, limit=VISITS))
    silent = {image.url: problem for image in newest if (problem := problem_of_url(image.url))}
    description = "; ".join(f"{url}: {problem}" for url, problem in silent.items()) or f"{len(newest)} looked at"
    return Finding(
        passed=not silent, description=description, figures={"looked_at": len(newest), "silent": list(silent)}
    )


def no_dead_message(database: Database) -> Finding:
    """No message to the site, the CDN or the bucket was given up."""
    total, newest = database.read(dead)
    description = f"{total} messages were given up; mend the cause, then `glad outbox retry --dead`" if total else None
    messages = [f"{each.id} {each.kind} {each.subject}: {each.last_error}" for each in newest]
    return Finding(passed=not total, description=description, figures={"messages": messages})
