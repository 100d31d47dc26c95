"""What a run does to prompts, a step at a time, in place of a run: for tests of those who watch."""

from contextlib import contextmanager

from glad_pipeline.prompts.queue import Claim
from glad_pipeline_tests.integration.test_queue import add_image, claim


class Run:
    """A claim on everything that waits."""

    def __init__(self, database, holder: Claim):
        self._database, self._holder = database, holder
        self.ids = [prompt.id for prompt in holder.take(1_000)]

    def draw(self, *ids):
        self._holder.begin_drawing(ids)

    def store(self, *ids):
        for each in ids:
            image = add_image(self._database, recipe_hash=f"{each:064x}")
            self._database.transact(
                "catalogue", lambda c, image=image, each=each: self._holder.generated(c, {each: image})
            )

    def reject(self, **reasons):
        self._holder.reject({int(each.removeprefix("p")): reason for each, reason in reasons.items()})


@contextmanager
def run(database, **given):
    with claim(database, **given) as holder:
        yield Run(database, holder)


def drawn(database):
    """Everything that waits is drawn and stored; the prompts."""
    with run(database) as now:
        now.draw(*now.ids)
        now.store(*now.ids)
        return now.ids
