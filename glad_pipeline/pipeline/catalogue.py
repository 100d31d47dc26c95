"""Stored pictures to rows of the catalogue `images`: each is looked at in the store, and its prompt moves on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from glad_pipeline.blame import one_row, together_or_alone
from glad_pipeline.database import Connection, Database
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.blocked_recipes import keys_by_hash, refuse_blocked
from glad_pipeline.pipeline.renditions import Rendering, read_back, size_of
from glad_pipeline.pipeline.stored_picture import described, entry_of, object_problem
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.publishing import images, renditions
from glad_pipeline.publishing.images import CatalogueEntry
from glad_pipeline.publishing.renditions import Renditions
from glad_pipeline.records import Prompt
from glad_pipeline.rendition_plan import NOTHING, Wanted
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore, StoredObject

ROWS_PER_TRANSACTION = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptWithObject:
    """A prompt in hand, its recipe, and what the store holds for it."""

    prompt: Prompt
    recipe: Recipe
    object: StoredObject | None
    provenance: str | None = None  # JSON, from the picture's own texts; pictures of the first version have none
    sha256: str | None = None  # of the bytes in the store; None where the store has checked them as this run put them
    problem: str | None = None  # why nothing can be said of what is stored
    renditions: Renditions = field(default_factory=Renditions)  # made by this run, or found in the store
    put: bool = False  # by this run


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A prompt whose picture is in the store, and as it should be."""

    prompt_id: int
    key: str
    bytes: int
    sha256: str | None  # as that of `PromptWithObject`


@dataclass(kw_only=True, slots=True)
class CatalogueReport:
    """What has become of the prompts of one run whose pictures were to be catalogued."""

    whole: list[Whole] = field(default_factory=list)
    became: dict[int, str] = field(default_factory=dict)  # by prompt: its status now, or one of those below

    def count(self, what: str) -> int:
        """Of how many prompts that is true."""
        return sum(each == what for each in self.became.values())


NOT_CATALOGUED = TAKEN_DOWN, DAMAGED, NOT_DRAWN_YET = "taken_down", "damaged", "not_drawn_yet"
LOST = "lost"  # taken over by another run


def look_up(
    recipes: Sequence[tuple[Prompt, Recipe]],
    store: ObjectStore,
    *,
    put_by_us: Collection[str],
    made_by_us: Mapping[str, Renditions],
    wanted: Wanted = NOTHING,
) -> list[PromptWithObject]:
    """What the store holds for these prompts. `put_by_us`: keys whose bytes the store has just checked; `made_by_us`:
    renditions, by their original's key. Of the other pictures those that are `wanted` are looked for."""
    problems: dict[str, str] = {}  # by key

    def seen(key: str) -> tuple[StoredObject, str | None] | None:
        with one_row(partial(problems.__setitem__, key)):
            return described(store, key)
        return None

    objects = store.each(seen, {original_key(recipe.hash) for _, recipe in recipes})
    sums = store.each(store.sha256, objects.keys() - put_by_us)
    others = {
        recipe.hash: objects[key][0]
        for _, recipe in recipes
        if (key := original_key(recipe.hash)) in objects and key not in made_by_us
    }
    found = read_back(store, _keys_of(recipes, others, wanted))
    return [
        PromptWithObject(
            prompt=prompt,
            recipe=recipe,
            object=stored,
            provenance=provenance,
            sha256=sums.get(key),
            problem=problems.get(key),
            renditions=made_by_us.get(key) or found.get(recipe.hash) or Renditions(),
            put=key in put_by_us,
        )
        for prompt, recipe in recipes
        for key in [original_key(recipe.hash)]
        for stored, provenance in [objects.get(key, (None, None))]
    ]


def _keys_of(
    recipes: Sequence[tuple[Prompt, Recipe]], stored: Mapping[str, StoredObject], wanted: Wanted
) -> dict[str, set[str]]:
    """Recipe hash → keys of the renditions that its picture is to have; `stored`: originals by recipe hash."""
    focuses = renditions.focuses_by_recipe((recipe.hash, prompt.focus) for prompt, recipe in recipes)
    rendering = Rendering(wanted=wanted, focuses=focuses)
    return {
        recipe_hash: set(rendering.plans(original.key, recipe_hash, width=size[0], height=size[1]))
        for recipe_hash, original in stored.items()
        if (size := size_of(original)) is not None
    }


@dataclass(frozen=True, kw_only=True)
class Cataloguing:
    """One run's. Everything of one transaction is recorded together, or one by one where a row spoils it."""

    claim: Claim
    database: Database
    url: Callable[[str], str]  # the public URL of a key
    report: CatalogueReport = field(default_factory=CatalogueReport)  # of all that was recorded

    def record(self, found: Sequence[PromptWithObject]) -> CatalogueReport:
        """Record the pictures that are whole and move their prompts; the others' prompts have used up a try.

        Returns `report`, with these added.
        """
        problems = self._problems(found)
        whole = [each for each in found if each.object is not None and each.prompt.id not in problems]
        self.claim.fail(problems)
        report = self.report
        report.became |= {each.prompt.id: NOT_DRAWN_YET for each in found} | dict.fromkeys(problems, DAMAGED)
        for start in range(0, len(whole), ROWS_PER_TRANSACTION):
            some = whole[start : start + ROWS_PER_TRANSACTION]
            report.became |= self.database.transact("catalogue", partial(self._some, some))
        report.whole += [
            Whole(prompt_id=each.prompt.id, key=each.object.key, bytes=each.object.bytes, sha256=each.sha256)
            for each in whole
            if each.object is not None
        ]
        return report

    def _some(self, some: Sequence[PromptWithObject], connection: Connection) -> dict[int, str]:
        """`_together`, and what it could not take: each of those has used up a try, with the reason."""
        refused: dict[int, str] = {}
        became = together_or_alone(
            connection,
            some,
            partial(self._together, connection),
            lambda one, reason: refused.__setitem__(one.prompt.id, f"it could not be catalogued: {reason}"),
        )
        self.claim.failed(connection, refused)
        return dict(chain.from_iterable(each.items() for each in became)) | dict.fromkeys(refused, DAMAGED)

    def _together(self, connection: Connection, some: Sequence[PromptWithObject]) -> dict[int, str]:
        """What became of each prompt."""
        reasons = refuse_blocked(connection, keys_by_hash({each.recipe for each in some}))
        blocked = {each.prompt.id: reasons[each.recipe.hash] for each in some if each.recipe.hash in reasons}
        self.claim.rejected(connection, blocked)
        entries = {
            each.recipe.hash: catalogue_entry(each, self.url) for each in some if each.recipe.hash not in reasons
        }
        put = {entries[each.recipe.hash].key for each in some if each.put and each.recipe.hash in entries}
        ids = images.record(connection, list(entries.values()), put=put)
        made = {ids[each.recipe.hash]: each.renditions for each in some if each.recipe.hash in ids}
        for image, found in sorted(made.items()):
            renditions.record(connection, image, found)
        drawn = {each.prompt.id: ids[each.recipe.hash] for each in some if each.recipe.hash in ids}
        states = self.claim.generated(connection, drawn)
        return dict.fromkeys(drawn, LOST) | states | dict.fromkeys(blocked, TAKEN_DOWN)

    def _problems(self, found: Iterable[PromptWithObject]) -> dict[int, str]:
        """Why prompts cannot be catalogued with what the store holds for them, by id."""
        problems: dict[int, str] = {}
        for each in found:
            with one_row(partial(problems.__setitem__, each.prompt.id)):
                if problem := problem_of(each, drawn=self.claim.drew(each.prompt.id)):
                    problems[each.prompt.id] = problem
        return problems


def problem_of(found: PromptWithObject, *, drawn: bool) -> str | None:
    """What is wrong with a stored object, or None."""
    stored = found.object
    if found.problem:
        return found.problem
    if stored is None:
        return (
            "the store took the picture and does not have it: check its consistency and the bucket" if drawn else None
        )
    if problem := object_problem(stored, found.recipe.hash):
        return problem
    if found.sha256 not in (None, stored.metadata["sha256"]):
        return f"the object {stored.key} is damaged (its SHA-256 is {found.sha256}): remove it, it is drawn again"
    return None


def catalogue_entry(found: PromptWithObject, url: Callable[[str], str]) -> CatalogueEntry:
    """The catalogue's row of a picture that is whole."""
    assert found.object is not None  # noqa: S101  only what is in the store is catalogued
    return entry_of(found.object, found.recipe, found.provenance, url)
