"""How drawn pictures reach the store, whatever happens to the store or to this process on the way.

Each picture is written ahead to the spool, as it was drawn, before the next batch is begun: then it outlives this
process. That takes a few milliseconds, while encoding it takes thirty. By the time the batch after that is begun it is
on the disk, or in the store, and outlives the machine too. Other threads sync, encode and upload it, and then its file
is removed. While the store is unreachable, drawing goes on until the spool is full. A killed run's files are delivered
by the next one as it begins, or by one that is up already as it claims their prompts.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glad_pipeline import disk
from glad_pipeline.blame import is_the_deployments, one_row
from glad_pipeline.display import in_bytes
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.renditions import Rendering
from glad_pipeline.pipeline.spooled_picture import SpooledPicture, name_of
from glad_pipeline.pipeline.upload import NotOursError, Uploaded, now, upload
from glad_pipeline.publishing.renditions import Renditions
from glad_pipeline.storage.protocol import ObjectStore, StoreError
from glad_pipeline.storage.spool import Spool, SpoolFull

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn
    from glad_pipeline.media.encoding import Pixels

UPLOADERS = 8
WRITERS = 4
HELD = 2 * UPLOADERS  # pictures that wait for an uploader in memory; the others are read back from the spool


class DrawingIsOver(UnavailableError):
    """For the thread that draws: nobody wants the next batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unstored:
    """A picture that cannot be stored for a reason of its own. It waits in the spool: the next run tries once more."""

    recipe: Recipe
    reason: str


class Delivery:
    """One run's deliveries; a context manager that ends them.

    Four threads meet here: `written_ahead` and `before_drawing` belong to the one that draws, `left` and `send_left` to
    the one that claims, `send`, `finished` and `rest` to the one that judges what was drawn (either calls `discard`),
    and the uploaders are ours.
    """

    def __init__(
        self,
        store: ObjectStore,
        spool: Spool,
        *,
        run_id: str,
        log: logging.Logger,
        rendering: Rendering | None = None,
    ) -> None:
        self.rendering = rendering
        self.stored: set[str] = set()  # keys that this run has put: the store has checked what it took
        self.renditions: dict[str, Renditions] = {}  # of the pictures of this run, by their original's key
        # of each picture that is sent, once it is stored; None: another run was faster, or has put it aside
        self.tell: Callable[[Recipe, Uploaded | None], None] = lambda recipe, done: None
        self.from_spool = 0  # pictures of earlier runs that are in the store now
        self._spool = spool
        self._run_id = run_id
        self._log = log
        self._uploaders = ThreadPoolExecutor(UPLOADERS, thread_name_prefix="glad-upload")
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="glad-spool")
        self._writes: dict[str, Future[bool]] = {}
        self._jobs: deque[Future[Uploaded | Unstored | None]] = deque()
        self._held = 0  # jobs with a picture in memory
        self._change = threading.Condition()
        self._unsafe: set[str] = set()  # drawn, and neither in the spool nor in the store nor settled
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="glad-sync")
        self._unsynced: set[str] = set()  # in the spool, where a power cut would take them
        self._to_sync: list[str] = []  # of those what nobody is syncing yet
        self._earlier: set[str] = set()  # what was unsynced when the batch in hand began
        self._failure: BaseException | None = None
        self._over = False
        self._reported_full = False
        self.use(store)

    def use(self, store: ObjectStore) -> None:
        """Deliver to this store: the same bucket, with what it cannot do made up for."""
        self._store = store
        store.outage.tell = lambda text: self._log.warning("%s. %s", text, self.in_words())

    def in_words(self) -> str:
        """What waits, for people."""
        return waiting_in(self._spool)

    def waiting(self) -> int:
        """How many pictures wait in the spool."""
        return self._spool.total()[0]

    # before anything is drawn

    def leftovers(self, gate: Callable[[Pixels], str | None]) -> dict[str, str]:
        """Deliver what earlier runs have left in the spool. Returns what `gate` found, by name (`name_of`).

        A picture that does not pass stays until it is discarded; a damaged file is put aside with a warning, so its
        picture is drawn again. Raises `StoreError` once the store's patience is spent: then nothing has been lost.
        """
        for folder, count in self._spool.elsewhere().items():
            self._log.warning("%s pictures wait in %s for another store: set it again, or remove them", count, folder)
        try:
            names = self._spool.waiting()
        except OSError as error:
            raise GladError(
                f"cannot look into the spool {self._spool.folder}: {error.strerror}. Make it readable"
            ) from error
        if not names:
            return {}
        self._log.info(
            "%s pictures of earlier runs wait in %s: they are delivered first", len(names), self._spool.folder
        )
        problems: dict[str, str] = {}

        def one(name: str) -> Uploaded | None:
            picture = self._load(name)
            if picture is None:
                return None
            assert picture.drawn.pixels is not None  # noqa: S101  `_load` gives them
            if problem := gate(picture.drawn.pixels):
                problems[name] = problem
                return None
            with one_row(lambda reason: self._put_aside(name, f"cannot be delivered ({reason})")):
                return self._deliver(name, picture)
            return None

        try:
            self.from_spool = len(self._store.each(one, names))
        except StoreError as error:
            raise self.explained(error) from error
        return problems

    def discard(self, name: str) -> None:
        """A picture was settled without being stored: its prompt has the reason."""
        written = self._writes.pop(name, None)
        if written is not None:
            written.result()
        self._remove(name)
        self._safe(name)

    # on the thread that claims

    def left(self, recipe: Recipe) -> Drawn | None:
        """This picture, if it waits in the spool: a run that has ended since has drawn it. None, too, where the file is
        damaged: then it is put aside.

        Another living run may want the same picture, and have it in the works. Then both deliver it, the store takes it
        once, and the file goes once.
        """
        found = self._load(name_of(recipe))
        return None if found is None else found.drawn

    def send_left(self, recipe: Recipe, refused: Callable[[Recipe, str], None]) -> None:
        """Upload what was `left`, in the background. `refused` gets the reason where it cannot be delivered, and its
        file is put aside."""
        self._jobs.append(self._uploaders.submit(self._left_job, name_of(recipe), recipe, refused))

    # on the thread that draws

    def written_ahead(self, pictures: Iterable[Drawn]) -> Iterator[Drawn]:
        """The same pictures, each on its way to the spool."""
        for drawn in pictures:
            if drawn.pixels is not None:
                name = name_of(drawn.recipe)
                picture = SpooledPicture(drawn=drawn, run_id=self._run_id, drawn_at=now())
                with self._change:
                    self._unsafe.add(name)
                self._writes[name] = self._writers.submit(self._write, name, picture)
            yield drawn

    def before_drawing(self, count_tries: Callable[[], None]) -> None:
        """Let the next batch be begun only when everything drawn so far would outlive this process, and the machine
        too but for the batch drawn last.

        `count_tries` comes after that: a process stopped there, or dead, has one batch in flight and not two.
        Raises what has ended the deliveries.
        """
        with self._change:
            # what is waited for is with the writers, the uploaders or the thread that judges; none waits for this one
            self._change.wait_for(
                lambda: not (self._unsafe or self._earlier & self._unsynced) or self._over or self._failure is not None
            )
            self._earlier = set(self._unsynced)
            if self._failure is not None:
                raise self._failure
            if self._over:
                raise DrawingIsOver("the run ends")
        count_tries()

    def drawing_is_over(self) -> None:
        """Nobody wants more pictures: `before_drawing` waits no longer."""
        with self._change:
            self._over = True
            self._change.notify_all()

    def _write(self, name: str, picture: SpooledPicture) -> bool:
        """Whether the spool has taken it."""
        try:
            picture.put_into(self._spool)
        except (SpoolFull, OSError) as error:
            with self._change:
                tell, self._reported_full = not self._reported_full, True
            if tell:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                if disk.is_full(error):
                    reason = f"{reason}: {disk.full(self._spool.folder)}"
                self._log.warning(
                    "the spool %s takes no more (%s): drawing waits for the store", self._spool.folder, reason
                )
            return False
        except BaseException as error:
            if isinstance(error, Exception) and not is_the_deployments(error):
                return False  # its upload tells what is wrong with it
            self._fail(error)
            raise
        with self._change:
            self._unsynced.add(name)
            self._to_sync.append(name)
        self._safe(name)
        self._syncer.submit(self._sync)
        return True

    def _sync(self) -> None:
        """All that waits for it by now."""
        with self._change:
            names, self._to_sync = [name for name in self._to_sync if name in self._unsynced], []
        if not names:
            return
        try:
            self._spool.sync(names)
        except OSError as error:  # waiting mends nothing: they are in the spool, and on their way to the store
            self._log.warning(
                "%s pictures in %s are not safe from a power cut: %s", len(names), self._spool.folder, error.strerror
            )
        with self._change:
            self._unsynced.difference_update(names)
            self._change.notify_all()

    # on the thread that judges

    def send(self, drawn: Drawn) -> None:
        """Upload a picture that was `written_ahead`, in the background."""
        name = name_of(drawn.recipe)
        spooled = self._writes.pop(name).result()
        with self._change:
            hold = not spooled or self._held < HELD
            self._held += hold
        held = SpooledPicture(drawn=drawn, run_id=self._run_id, drawn_at=now()) if hold else None
        self._jobs.append(self._uploaders.submit(self._job, name, drawn.recipe, held))

    def finished(self) -> Iterator[Uploaded | Unstored]:
        """What is in the store by now, in the order of `send`. Raises what went wrong."""
        while self._jobs and self._jobs[0].done():
            yield from self._oldest()

    def rest(self) -> Iterator[Uploaded | Unstored]:
        """All that was sent, as it comes into the store."""
        while self._jobs:
            yield from self._oldest()

    def _oldest(self) -> Iterator[Uploaded | Unstored]:
        done = self._jobs.popleft().result()
        if done is not None:
            yield done

    def _job(self, name: str, recipe: Recipe, held: SpooledPicture | None) -> Uploaded | Unstored | None:
        done: Uploaded | Unstored | None = None
        refused: list[str] = []
        try:
            if held is None and self._failure is not None:
                return None  # it waits in the spool: a store that is unreachable is not tried once for each of hundreds
            with one_row(refused.append):
                picture = held or self._load(name)
                done = self._deliver(name, picture) if picture else None
            if refused:
                done = Unstored(recipe=recipe, reason=f"its picture cannot be stored: {refused[0]}")
        except StoreError as error:
            explained = self.explained(error)
            self._fail(explained)
            raise explained from error
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            if held is not None:
                with self._change:
                    self._held -= 1
        self._safe(name)
        if not isinstance(done, Unstored):
            self.tell(recipe, done)
        return done

    def _left_job(self, name: str, recipe: Recipe, refused: Callable[[Recipe, str], None]) -> None:
        """Those that are stored are counted here: they are none of what this run has drawn."""
        done = self._job(name, recipe, None)
        if isinstance(done, Unstored):
            self._put_aside(name, f"cannot be delivered ({done.reason})")
            refused(recipe, done.reason)
        elif done is not None:
            with self._change:
                self.from_spool += 1

    # on any thread

    def _load(self, name: str) -> SpooledPicture | None:
        """A picture from the spool; None where it is gone, or damaged: then it is put aside."""
        try:
            return SpooledPicture.read(self._spool, name)
        except (GladError, KeyError, TypeError, ValueError, AttributeError) as error:
            self._put_aside(name, f"is damaged ({error})")
            return None

    def _put_aside(self, name: str, problem: str) -> None:
        try:
            done = f"it lies in {self._spool.quarantine(name).parent} now"
        except OSError as why:
            done = f"it cannot be put aside ({why.strerror}): remove it"
        self._log.warning("the spool's file %s %s: %s", name, problem, done)

    def _deliver(self, name: str, picture: SpooledPicture) -> Uploaded | None:
        try:
            done = upload(
                self._store, picture.run_id, picture.drawn, drawn_at=picture.drawn_at, rendering=self.rendering
            )
        except NotOursError as error:
            self._log.warning("%s. The picture waits in %s until then", error, self._spool.folder)
            return None
        if done.written:
            self.stored.add(done.key)
        self.renditions[done.key] = done.renditions
        if done.renditions.problem:
            self._log.warning("not all renditions of %s could be made: %s", done.key, done.renditions.problem)
        self._remove(name)
        return done

    def _remove(self, name: str) -> None:
        try:
            self._spool.remove(name)
        except OSError as error:  # it is delivered again and found to be there
            self._log.warning("cannot remove %s from %s: %s", name, self._spool.folder, error.strerror)
        with self._change:
            self._unsynced.discard(name)
            self._change.notify_all()

    def _safe(self, name: str) -> None:
        with self._change:
            self._unsafe.discard(name)
            self._change.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._change:
            self._failure = self._failure or error
            self._change.notify_all()

    def explained(self, error: StoreError) -> StoreError:
        """The same error, with what has become of the pictures."""
        return explained(error, self._spool)

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self._store.outage.give_up()
        # what an error of the GPU's or the database's leaves to upload is uploaded; what is interrupted is spooled
        dropped = self._failure is not None or not isinstance(error, (Exception, type(None)))
        self._writers.shutdown(wait=True)
        self._uploaders.shutdown(wait=True, cancel_futures=dropped)
        self._syncer.shutdown(wait=True)


def waiting_in(spool: Spool) -> str:
    """What waits, for people."""
    count, size = spool.total()
    return f"{count} pictures ({in_bytes(size)}) wait in {spool.folder}"


def explained(error: StoreError, spool: Spool) -> StoreError:
    """The same error, with what has become of the pictures: those that wait for a store that refuses them wait on."""
    count, _ = spool.total()
    when = "are delivered by the next run" if error.transient else "are delivered once this is mended"
    kept = f"{waiting_in(spool)} and {when}: none of them is lost or drawn again" if count else ""
    return StoreError(". ".join(filter(None, [str(error).rstrip("."), kept])), transient=error.transient)
