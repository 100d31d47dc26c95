"""How checks are run: in order, each bounded in time and for itself, those that need another only if it is right."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Thread

import psycopg

from glad_pipeline import disk
from glad_pipeline.database import Database, first_words
from glad_pipeline.deadline import within
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError
from glad_pipeline.redaction import redact
from glad_pipeline.settings import Settings
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.probe import Probed
from glad_pipeline.storage.protocol import ObjectStore

LONGEST = 600  # characters of what one line says
FAULT = "this is a fault of glad_pipeline: report it with this line"


@dataclass(kw_only=True)
class Deployment:
    """What is examined."""

    settings: Settings  # with the servers that we have started
    given: Settings | None = None  # as a person has them; None: the same
    own_database: Database | None = None  # in place of what the settings name
    own_store: ObjectStore | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))  # in which a setting is misspelt
    trouble: Mapping[str, str] = field(default_factory=dict)  # why a server of ours does not run: `database`, `store`
    fix: bool = False  # whether to mend what can be mended without asking
    children: list[subprocess.Popen[str]] = field(default_factory=list)  # processes that checks have started
    probed: Probed | None = None  # what the store was found able to do
    draws: bool = True  # whether to draw a picture
    instance: Callable[[Deployment], Iterable[Diagnosis]] | None = None  # looks at Dagster; None: nobody can

    @cached_property
    def url(self) -> str:
        """The database's. Raises `GladError` where there is none."""
        if self.own_database is not None:
            return self.own_database.url
        if self.settings.database_url is None:
            raise GladError(self.trouble.get("database", "no database is named: set DATABASE_URL"))
        return self.settings.database_url.get_secret_value()

    @cached_property
    def database(self) -> Database:
        return self.own_database or Database(self.url, application_name="glad doctor", blog=self.settings.blog)

    @cached_property
    def store(self) -> ObjectStore:
        """The bucket, asked once each time. Raises `GladError` where there is none."""
        if self.own_store is not None:
            return self.own_store
        if "store" in self.trouble or self.settings.store_kind is None:
            raise GladError(self.trouble.get("store", "no bucket is named: set AWS_S3_BUCKET"))
        return open_store(self.settings)

    def close(self) -> None:
        """End what the checks have begun."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
        if "database" in self.__dict__ and self.own_database is None:
            self.database.close()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at."""

    name: str  # precedes what each of its lines is about
    look: Callable[[Deployment], Iterable[Diagnosis]]
    needs: tuple[str, ...] = ()  # checks without which this one would only repeat what they say
    seconds: float = 30.0  # that it may take
    early: bool = False  # whether it begins with the first, since it takes long


def examine(deployment: Deployment, checks: Sequence[Check]) -> Iterator[Diagnosis]:
    """What each check finds, in their order. Raises nothing."""
    begun = {each.name: _begin(partial(_looked, each, deployment)) for each in checks if each.early}
    failed: set[str] = set()  # of these nothing can be told that builds on them
    for each in checks:
        if missing := [name for name in each.needs if name in failed]:
            failed.add(each.name)
            yield Diagnosis(
                check=each.name, level=Level.NOT_TESTED, text=f"it needs what is wrong above: {', '.join(missing)}"
            )
            continue
        found, is_whole = begun[each.name].result() if each.early else _looked(each, deployment)
        if not is_whole or any(one.level is Level.ERROR for one in found):
            failed.add(each.name)
        yield from found


def worst_of(found: Iterable[Diagnosis]) -> Level:
    """The worst level among these; OK where there are none."""
    order = list(Level)
    return max((one.level for one in found), key=order.index, default=Level.OK)


def of_error(check: str, error: BaseException, level: Level = Level.ERROR) -> Diagnosis:
    """An error that a check ran into, as a line; of our own the message has the cure in it."""
    if isinstance(error, TimeoutError):
        cure = "see whether what it asks is overloaded or cut off by a firewall, and try again"
        return Diagnosis(check=check, level=level, text=str(error), cure=cure)
    if disk.is_full(error):
        where = disk.place_of(error, os.environ.get("GLAD_HOME", "."))
        return Diagnosis(check=check, level=level, text="a file could not be written", cure=disk.full(where))
    if isinstance(error, GladError):
        return Diagnosis(check=check, level=level, text=str(error))
    if isinstance(error, psycopg.Error):
        cure = "see the server's log, and the rights of the role in DATABASE_URL"
        return Diagnosis(check=check, level=level, text=f"the database refused: {first_words(error)}", cure=cure)
    text = f"{type(error).__name__}: {error}"
    return Diagnosis(check=check, level=level, text=text, cure=None if isinstance(error, OSError) else FAULT)


def _begin(work: Callable[[], tuple[list[Diagnosis], bool]]) -> Future[tuple[list[Diagnosis], bool]]:
    done: Future[tuple[list[Diagnosis], bool]] = Future()
    Thread(target=lambda: done.set_result(work()), name="glad-doctor", daemon=True).start()
    return done


def _looked(check: Check, deployment: Deployment) -> tuple[list[Diagnosis], bool]:
    """What a check says, also of what it had found before it failed or was given up; and whether it came to its end."""
    found: list[Diagnosis] = []
    is_whole = False

    def look() -> None:
        for each in check.look(deployment):
            found.append(each)

    try:
        within(check.seconds, look)
        is_whole = True
    except Exception as error:  # noqa: BLE001  every one is a line
        found.append(of_error(check.name, error))
    return [_clean(check.name, each) for each in found], is_whole


def _clean(name: str, found: Diagnosis) -> Diagnosis:
    """One line, without a secret, and named after its check."""
    about = found.check if found.check.partition(":")[0] == name else f"{name}: {found.check}"
    cure = found.cure and one_line(redact(found.cure), LONGEST)
    return replace(found, check=about, text=one_line(redact(found.text), LONGEST), cure=cure)
