"""Every commit point, broken in every way; and that no commit point escapes this."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from glad_pipeline import failpoints
from glad_pipeline_tests.faults import matrix, stores

PACKAGE = Path(failpoints.__file__).parent
DOCUMENT = PACKAGE.parent / "docs" / "reliability.md"
CELLS = matrix.cells()


def _by_default(cell):
    """Of what `--deep` tries: a process that can still speak, at every fourth point; one that is killed, after each
    commit, which leaves what a kill before the next one would. Before it too where something else than a transaction
    is half done by then: a file that is not in its place, an object that nobody knows."""
    point, mode = cell
    if mode == "exception":
        return failpoints.POINTS.index(point) % 4 == 0
    name, _, when = point.rpartition(".")
    return mode == "lost answer" or when == "after" or name in matrix.NO_TRANSACTION


HERE = [
    pytest.param(cell, marks=() if _by_default(cell) else pytest.mark.deep, id=f"{cell[0]}-{cell[1]}".replace(" ", "-"))
    for cell in CELLS
]
CORE = [("quarantine.before", "kill -9")]  # tried on each store by default
OTHERS = [
    pytest.param((kind, *cell), marks=() if cell in CORE else pytest.mark.deep, id=f"{kind}-{cell[0]}-{cell[1]}")
    for kind in stores.KINDS
    if kind != "s3"
    for cell in CELLS
]


def asked_for(request, name):
    """The values of this parameter that were asked for, in all tests of this file."""
    return [
        item.callspec.params[name]
        for item in request.session.items
        if item.fspath == request.node.fspath and hasattr(item, "callspec") and name in item.callspec.params
    ]


def run_all(stack, folder, wanted):
    """The outcome of each cell, a few at once."""
    done = matrix.run_matrix(stack, folder, wanted, tell=lambda outcome: None)
    return dict(zip(wanted, done, strict=True))


@pytest.fixture(scope="module")
def outcomes(request, stack, tmp_path_factory):
    """The outcome of each cell that was asked for, all run beforehand."""
    return run_all(stack, tmp_path_factory.mktemp("matrix"), asked_for(request, "cell"))


@pytest.fixture(scope="module")
def outcomes_elsewhere(request, stack, tmp_path_factory):
    """The same on the other kinds of stores."""
    wanted, done = asked_for(request, "elsewhere"), {}
    for kind in dict.fromkeys(kind for kind, *_ in wanted):
        cells = [(point, mode) for each, point, mode in wanted if each == kind]
        found = run_all({**stack, stores.KIND: kind}, tmp_path_factory.mktemp(f"matrix-{kind}"), cells)
        done |= {(kind, *cell): outcome for cell, outcome in found.items()}
    return done


@pytest.mark.parametrize("cell", HERE)
def test_nothing_is_lost_or_done_twice_when_it_breaks_at(cell, outcomes):
    outcome = outcomes[cell]
    if isinstance(outcome, Exception):
        raise outcome
    assert not outcome.faults
    assert outcome.findings.published >= 1


@pytest.mark.parametrize("elsewhere", OTHERS)
def test_nothing_is_lost_or_done_twice_on_another_store_when_it_breaks_at(elsewhere, outcomes_elsewhere):
    test_nothing_is_lost_or_done_twice_when_it_breaks_at(elsewhere, outcomes_elsewhere)


# --- no commit point without its test --------------------------------------------------------------------------------

# Transactions that are no commit points, by file and function: reads, and what is one statement of one command, which
# the person who gave it sees fail and gives again.
EVERY = "*"  # function of the file
TRANSACTIONS = {
    "database/__init__.py": {
        "attempt": "the commit points themselves, and reads",
        "transaction": "what they are made of",
        "_living": "makes connections",
        "connect": "makes connections",
        "connect_patiently": "for the claim's lock",
    },
    "database/this_database.py": {"database_mark": "reads"},
    "database/notifications.py": {"notifications": "listens"},
    "operations/psql.py": {EVERY: "what a person types"},
    "operations/redraw.py": {"requeue": "one UPDATE a page of one command"},
    "testing/database.py": {EVERY: "servers of a test"},
    "testing/pipeline.py": {EVERY: "what a test types"},
    "database/migrations/__init__.py": {
        EVERY: "under a lock, in Alembic's own transactions; a migration that broke is run again",
    },
    "database/migrations/steps.py": {EVERY: "the connection of a migration, for Alembic"},
    "database/sessions.py": {"connected": "opens every connection there is"},
    "operations/doctor/of_database.py": {"database": "reads"},
    "operations/doctor/of_drawing.py": {"workers": "connects to Ray"},
    "operations/audit/walk.py": {EVERY: "reads"},
    "operations/audit/addresses.py": {EVERY: "reads"},
    "prompts/hold.py": {"_beat": "renews a lease, again and again"},
    "prompts/queue.py": {"_prune_events": "one DELETE of what is long over, made again by the next run"},
    "prompts/queue_state.py": {"readiness": "reads"},
    "cli/workers.py": {EVERY: "connects to Ray"},
    "workers/pool.py": {EVERY: "connects to Ray"},
    "prompts/editing.py": {
        "edit_prompt": "one transaction of one command, which a person sees fail and gives again",
        "find_post": "reads",
    },
    "prompts/intake.py": {"add_prompt": "one INSERT"},
    "prompts/importing.py": {"import_files": "one transaction for all files: all or nothing"},
    "prompts/sources.py": {"pause": "one UPSERT", "resume": "one UPDATE", "limit": "one UPSERT"},
    "prompts/export.py": {"export_rows": "reads"},
    "prompts/management.py": {
        "list_prompts": "reads",
        "show_prompt": "reads",
        "counts_by_status": "reads",
        "retry_all_failed": "one UPDATE",
        "_change": "one UPDATE",
    },
    "operations/demo/demo.py": {"_all": "reads", "_is_work_left": "reads", "_trouble": "reads"},
    "operations/removal.py": {
        "forget_previews": "two UPDATEs of Dagster's tables, which done again change nothing",
        "_name_all": "an UPDATE, before what it names is deleted: who delivers the message again has it, or makes it",
    },
    "defs/checks.py": {EVERY: "reads"},
    "defs/sensors.py": {EVERY: "reads"},
    "defs/site_revalidations.py": {EVERY: "reads"},
    "defs/resources.py": {"connect": "for looks"},
    "cli/outbox.py": {"list_": "reads"},
    "outbox/messages.py": {"retry_now": "one UPDATE"},
    "operations/follow_up.py": {
        "follow_up": "reads",
        "deliver_now": "one UPDATE, so that what waits is due now",
    },
    "outbox/deliver.py": {"deliver": "one DELETE of what is long over"},
    "publishing/blog_schema.py": {"_refused_by": "a savepoint around a look"},
    "publishing/trial.py": {EVERY: "savepoints in one that is always rolled back"},
    "blame.py": {"together_or_alone": "a savepoint in the caller's transaction"},
    "gateway/blog_reads.py": {EVERY: "reads"},
    "gateway/job_results.py": {
        "keep": "one INSERT, and a DELETE of what is too much; what is not kept stays in memory"
    },
    "callers/keys.py": {
        "make_key": "one INSERT of one command",
        "revoke_key": "one command, which done again is the same",
        "rotate_key": "one command; who gets no answer gives it again, and has yet another secret",
    },
    "callers/sessions.py": {
        "open_session": "one INSERT, after DELETEs of what is over; who gets no answer logs in again",
        "close_session": "one DELETE",
    },
    "database/pool.py": {"_connected": "opens connections"},
    "local/stack.py": {EVERY: "creates databases before anything else is there"},
    "local/postgres.py": {"_wait_until_ready": "a look"},
}
OPENS = {"transaction", "commit", "connect"}
# What changes the store or the disk for good has to be between two `reached`, or here.
WRITES = {"put_object", "delete_object", "delete_objects", "copy_object", "rename", "replace", "unlink"}
WRITE_ROOMS = ("storage", "defs", "publishing", "pipeline", "operations", "outbox")
WRITES_ALLOWED: dict[str, dict[str, str]] = {
    "operations/demo/demo.py": {"_run_job": "the log of the demo's run before"},
    "operations/removal.py": {"forget_galleries": "what a takedown that broke has left is removed by who repeats it"},
    "storage/s3.py": {
        "_put": "called by `pipeline/upload.py` between its commit points",
        "_delete_many": "called by `outbox/deliver.py` and `operations/audit/mend.py` between their commit points",
        "_delete_one": "as `_delete_many`",
        "copy": "into quarantine/, where nobody looks; the copy is made again by who repeats it",
    },
    "storage/s3_probe.py": {
        "_put": "trial objects under .glad/ that nothing reads",
        "_copied": "the same",
    },
    "storage/supabase.py": {
        "_move": "called by `pipeline/upload.py` between its commit points",
        "copy": "as that of `storage/s3.py`",
        "_remove": "called by `outbox/deliver.py` and `operations/audit/mend.py` between their commit points, and for staging/",
        "_page": "reads",
    },
    "storage/supabase_buckets.py": {"prepare": "the private bucket, empty; who was killed finds it there"},
    "storage/supabase_client.py": {"upload": "under a name of its own in staging/, which is cleared"},
    "storage/spool.py": {
        "quarantine": "a damaged file counts as not there, wherever it lies",
        "waiting": "removes what a dead process had not finished writing",
    },
    "storage/volume_folders.py": {
        "removed": "as `_delete_many` of S3; and what was being written in tmp/, where nobody looks",
    },
}


@functools.cache
def calls() -> list[tuple[str, str, ast.Call, str, ast.AST]]:
    """Every call in the package: file, enclosing function, the call, the called name, the enclosing function's node."""
    return list(_calls())


def _calls() -> Iterator[tuple[str, str, ast.Call, str, ast.AST]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name.startswith("generation/demo_model/"):
            continue  # a program to train a model
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = {}
        for node in ast.walk(tree):  # breadth first: the innermost function is the last to claim a node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions.update(dict.fromkeys(ast.walk(node), node))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                function = functions.get(node)
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield name, getattr(function, "name", "*"), node, called, function or tree


def is_sent_to_write(call: ast.Call, called: str) -> bool:
    """Whether it is a request to Supabase that may change something."""
    methods = [each.value for each in call.keywords if each.arg == "method"]
    return called == "Sent" and not any(isinstance(each, ast.Constant) and each.value == "GET" for each in methods)


def literals_in(function: ast.AST) -> set[str]:
    """The points that a function reaches."""
    return {
        node.args[0].value
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "reached"
        and isinstance(node.args[0], ast.Constant)
    }


def test_the_registry_names_exactly_the_commit_points_of_the_source():
    named: set[str] = set()
    for file, function, call, called, _ in calls():
        where = f"{file}, {function}"
        if called not in ("transact", "reached") or (file, function) == ("database/__init__.py", "attempt"):
            continue
        assert isinstance(call.args[0], ast.Constant), f"{where}: a commit point must be named by a literal"
        point = call.args[0].value
        if called == "transact":
            named |= {f"{point}.before", f"{point}.after"}
        else:
            named.add(point)
    assert named == set(failpoints.POINTS)


def test_every_other_transaction_is_known_with_the_reason_why_it_is_no_commit_point():
    unknown = {
        f"{file}: {function} calls {called}"
        for file, function, call, called, _ in calls()
        if called in OPENS and not {function, EVERY} & TRANSACTIONS.get(file, {}).keys()
    }
    assert not unknown, "use Database.transact, or add it to TRANSACTIONS with the reason"


def test_whatever_changes_the_store_or_the_disk_is_a_commit_point():
    unknown = set()
    for file, function, call, called, node in calls():
        if not (called in WRITES or is_sent_to_write(call, called)) or not file.startswith(WRITE_ROOMS):
            continue
        if called in ("rename", "replace") and (len(call.args) != 1 or call.keywords):
            continue  # a string's, a dataclass's
        points = {point.rpartition(".")[2] for point in literals_in(node)}
        if points != {"before", "after"} and function not in WRITES_ALLOWED.get(file, {}):
            unknown.add(f"{file}: {function} calls {called}")
    assert not unknown, "call reached('….before') and reached('….after') around it"


def test_the_document_has_every_point():
    assert matrix.documented(DOCUMENT) == list(failpoints.POINTS)


def test_a_product_s_process_has_nothing_armed():
    assert failpoints._armed is None
    assert failpoints.reached("claim.before") is None
