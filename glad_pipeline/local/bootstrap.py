"""From a bare Python to the installed command: what `./glad` does before `glad_pipeline.cli` can be imported.

Makes `.venv` in the repository, installs with the exact versions of constraints.txt, and replaces itself by the CLI.
Standard library only. A stamp in `.venv` says what was installed: while it holds, nothing is done and no network used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from glad_pipeline import disk
from glad_pipeline.display import in_bytes, one_line, tail
from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home
from glad_pipeline.local.interruption import Interrupted, exit_code_of, interruptible
from glad_pipeline.local.node import WHEEL, WHEEL_SIZE, find_node
from glad_pipeline.local.progress import Step
from glad_pipeline.redaction import hide_environment, redact

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SITE = Path(__file__).with_name("site.tar.xz")
STAMP = VENV / "glad-installed.json"
CONSTRAINTS = ROOT / "constraints.txt"
# Brought along, so that a Python without ensurepip (Debian's) needs no download we could not trust.
PIP_WHEEL = ROOT / "vendor" / "pip-26.3-py3-none-any.whl"
EXTRAS = {"test": "local,ray,fp8,parquet,test", "workers": "local,ray"}  # by command; else `local`
# tests, each half on servers of its own, in the order of their `conftest.py`; `-n 0` behind it undoes it
AT_ONCE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# No server, under a minute
CHECKS = [f"glad_pipeline_tests/unit/test_{name}.py" for name in ("code", "docs", "readme")]
INSTALL = ("install", "--disable-pip-version-check")
SOON = ("--retries", "1")  # what may fail is not waited for: without a network, at each start
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


class SetUpFailed(Exception):
    """A step of the installation went wrong; the text is for the person."""


def main(arguments: list[str]) -> int:
    """Install what is missing, then become the command."""
    with interruptible():
        return _main(arguments)


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["check"]:
        arguments = ["test", "-q", "-n", "0", *CHECKS, *arguments[1:]]
    testing = arguments[:1] == ["test"]
    extras = EXTRAS.get(arguments[0] if arguments else "", "local")
    try:
        if not is_installed(extras):
            with (ROOT / "glad").open() as lock:  # our own file: it needs no place to be written to
                with Step("waiting for another glad that installs"):
                    fcntl.flock(lock, fcntl.LOCK_EX)
                if not is_installed(extras):
                    install(extras)
        if arguments == ["up"] and wants_node():
            install_node()
        if testing:
            return run_tests(arguments[1:])
    except SetUpFailed as error:
        sys.stderr.write(f"glad: {error}\n")
        return 1
    except KeyboardInterrupt as interruption:
        sys.stderr.write("\nglad: interrupted; start it again, it goes on where it was\n")
        return exit_code_of(interruption)
    os.execv(PYTHON, [str(PYTHON), "-m", "glad_pipeline.cli", *arguments])  # noqa: S606


def is_installed(extras: str) -> bool:
    """Whether `.venv` is here, works, and holds what pyproject.toml and constraints.txt ask for today."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = set(extras.split(","))
    return bool(
        stamp.get("inputs") == inputs() and wanted <= set(stamp.get("extras", ())) and os.access(PYTHON, os.X_OK)
    )


def inputs() -> str:
    """What the installation depends on, as a hash: the requirements, their versions, and where we are."""
    text = "\0".join([(ROOT / "pyproject.toml").read_text(), CONSTRAINTS.read_text(), str(ROOT), platform.machine()])
    return hashlib.sha256(text.encode()).hexdigest()


def install(extras: str) -> None:
    hide_environment()  # of an index, say
    log = open_log()
    sys.stderr.write(f"Setting up {VENV} (once; details: {log})\n")
    try:
        free = shutil.disk_usage(ROOT).free
        make_venv(log)
        install_torch(log)
        install_package(extras, log)
        STAMP.write_text(json.dumps({"inputs": inputs(), "extras": extras.split(",")}), encoding="utf-8")
    except OSError as error:
        raise SetUpFailed(
            f"cannot set up {VENV}: {error}. Free on that disk: {in_bytes(free)}. "
            "The repository must be writable for you"
        ) from error


def wants_node() -> bool:
    """Whether `glad up` would serve the site, and finds no Node.js. Of the settings it knows as much as it has to."""
    names = ("GLAD_SITE", "GLAD_SITE_URL", "GLAD_GATEWAY")
    file = Path(os.environ.get("GLAD_ENV_FILE") or ROOT / ".env")
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    given = dict(re.findall(rf"^(?:export )?({'|'.join(names)})=['\"]?([^\s'\"]+)", text, re.MULTILINE))
    given |= {name: os.environ[name] for name in names if os.environ.get(name)}
    wanted = given.get("GLAD_SITE", "off" if "GLAD_SITE_URL" in given else "on"), given.get("GLAD_GATEWAY", "on")
    is_served = SITE.is_file() and all(each.lower() in ("1", "on", "t", "true", "y", "yes") for each in wanted)
    return is_served and find_node(VENV) is None


def install_node() -> None:
    """Node.js from its wheel. Without it all runs but the site, so that it may fail: each `glad up` tries again."""
    hide_environment()  # of an index, say
    sys.stderr.write(f"Blog and studio need Node.js, which is not here ({WHEEL_SIZE}; GLAD_SITE=off leaves them out)\n")
    try:
        step("Installing Node.js", [PYTHON, "-m", "pip", *INSTALL, *SOON, "-c", CONSTRAINTS, WHEEL], open_log())
    except (SetUpFailed, OSError) as error:
        sys.stderr.write(f"glad: {error}\nAll else is started.\n")


def open_log() -> Path:
    """The installation's log, in the state directory's `logs`."""
    home = Home(Path(os.environ.get("GLAD_HOME") or ROOT / ".glad"))
    try:
        log = home.prepare().logs / "install.log"
        log.write_text("", encoding="utf-8")
    except GladError as error:
        raise SetUpFailed(str(error)) from error
    except OSError as error:
        raise SetUpFailed(f"cannot write {log}: {error.strerror}. Set GLAD_HOME to a directory of yours") from error
    return log


def make_venv(log: Path) -> None:
    """A virtual environment with pip, unless a working one is here; one that was moved or broken is replaced."""
    if VENV.exists() and not venv_works():
        if VENV.is_symlink():
            VENV.unlink()
        else:
            shutil.rmtree(VENV)
    if not VENV.exists():
        step("Making the virtual environment", [sys.executable, "-m", "venv", "--without-pip", VENV], log)
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return
    if hashlib.sha256(PIP_WHEEL.read_bytes()).hexdigest() != PIP_SHA256:
        raise SetUpFailed(f"{PIP_WHEEL} is damaged: its sha256 is not {PIP_SHA256}. Restore it: git checkout vendor")
    step("Installing pip", [PYTHON, PIP_WHEEL / "pip", *INSTALL, "--no-index", PIP_WHEEL], log)


def venv_works() -> bool:
    """Whether its Python starts and it was made for this very path (its scripts name the path they were made at)."""
    try:
        activate = (VENV / "bin" / "activate").read_text(encoding="utf-8")
        version = subprocess.run(
            [PYTHON, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, check=False
        )
    except OSError:
        return False
    return str(VENV) in activate and version.stdout.strip() == b"True"


def install_torch(log: Path) -> None:
    """Torch first and by pip alone: uv's and pip's ideas of which build fits differ, and pip's is the makers'."""
    pin = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch==")).split(" ")[0]
    version = pin.removeprefix("torch==")
    probe = f"import importlib.metadata as m; assert m.version('torch').split('+')[0] == '{version}'"
    if subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0:
        return
    environment = dict(os.environ)
    chosen = os.environ.get("GLAD_TORCH_INDEX")
    if chosen:
        known = environment.get("PIP_EXTRA_INDEX_URL", "")  # a company's own index stays in use
        environment["PIP_EXTRA_INDEX_URL"] = f"{known} {chosen}".strip()
    elif sys.platform == "linux" and shutil.which("nvidia-smi") is None:
        sys.stderr.write(
            "  No NVIDIA GPU found. If several GB of CUDA libraries start to download, stop with Ctrl-C and set\n"
            "  GLAD_TORCH_INDEX to PyTorch's index of CPU builds (see README.md).\n"
        )
    step(f"Installing {pin}", [PYTHON, "-m", "pip", *INSTALL, "-c", CONSTRAINTS, pin], log, environment=environment)


def install_package(extras: str, log: Path) -> None:
    """The package itself, editable, and all it needs: by uv if there is one, else by pip."""
    what = ["-c", str(CONSTRAINTS), "-e", f".[{extras}]"]
    uv = shutil.which("uv")
    if uv:
        try:
            step("Installing the package with uv", [uv, "pip", "install", "--python", PYTHON, *what], log)
            return
        except SetUpFailed:
            sys.stderr.write("  uv did not manage (it has an index configuration of its own); trying pip\n")
    step("Installing the package with pip", [PYTHON, "-m", "pip", *INSTALL, *what], log)


def step(label: str, command: Sequence[str | Path], log: Path, *, environment: dict[str, str] | None = None) -> None:
    """Run one command with its output in the log. Raises `SetUpFailed` with the log's end and the cure."""
    with log.open("ab") as output:
        output.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        with Step(f"  {label}", always=True) as progress:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while (code := child.poll()) is None:
                    progress.detail = last_line(log)
                    time.sleep(0.1)
            except BaseException:
                child.terminate()
                child.wait()
                raise
            finally:
                log.write_text(redact(log.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
    if code != 0:
        said = tail(log)
        places = (VENV, tempfile.gettempdir())
        cure = "Check the network (or pip's configured index) and the free disk space"
        if disk.says_full(said):
            cure = disk.full(disk.place_of(OSError(), *places), "or set TMPDIR to a directory on a larger disk")
        raise SetUpFailed(
            f"{label.lower()} failed (exit {code}). Log: {log}\n{said}\n"
            f"{cure}, then run the same command again: what was installed is kept"
        )


def last_line(log: Path) -> str:
    """What the running command said last, short."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2048))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return one_line(redact(lines[-1]), 60) if lines else ""


def run_tests(arguments: list[str]) -> int:
    """The whole test suite, in a state directory of its own that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="glad-test-") as home:
        environment = dict(os.environ, GLAD_HOME=home, PATH=f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile the package anew
        tests = subprocess.Popen([PYTHON, "-m", "pytest", *AT_ONCE, *arguments], cwd=ROOT, env=environment)
        while True:
            try:
                return tests.wait()
            except Interrupted:
                tests.send_signal(signal.SIGINT)
            except KeyboardInterrupt:  # the terminal has signalled pytest too: it stops its servers, we wait for it
                continue
