"""SIGTERM and SIGHUP end a command like Ctrl-C, with all that it has started."""

import os
import signal
import sys
import threading
import time

import psutil
import pytest

from glad_pipeline.local import bootstrap
from glad_pipeline.local.interruption import Interrupted, exit_code_of, interruptible
from glad_pipeline.local.processes import ended_if_raised, gone, session_members, spawn, wait_until

FAMILY = (  # a program with a child, which hears of no signal
    "import pathlib, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGINT, {handler})\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(signal.SIGINT, "
    "signal.SIG_IGN); time.sleep(600)'])\n"
    "pathlib.Path('ready').touch()\n"
    "time.sleep(600)\n"
)


@pytest.fixture(autouse=True)
def _heard():
    """Whatever started the tests (`nohup`, say) may have had these ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)


def soon_told(number):
    """This process gets the signal as soon as its main thread waits."""
    timer = threading.Timer(0.2, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_exception_and_an_exit_code_and_its_handler_comes_back(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as error, interruptible():  # noqa: PT012
        soon_told(number)
        time.sleep(60)
    assert exit_code_of(error.value) == 128 + number
    assert exit_code_of(KeyboardInterrupt()) == 130
    assert signal.getsignal(number) is before


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_step_of_the_installation_is_ended_with_the_launcher(tmp_path):
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012
        soon_told(signal.SIGTERM)
        bootstrap.step("Waiting", ["sleep", "600"], tmp_path / "log")
    assert [p for p in psutil.Process().children(recursive=True) if p.cmdline()[:2] == ["sleep", "600"]] == []


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_program_ends_with_all_that_it_has_started(tmp_path, stubborn):
    handler = "signal.SIG_IGN" if stubborn else "signal.SIG_DFL"
    command = [sys.executable, "-c", FAMILY.format(handler=handler)]
    program = spawn(command, log=tmp_path / "log", cwd=tmp_path, env=dict(os.environ))
    assert wait_until((tmp_path / "ready").exists, 30), (tmp_path / "log").read_text()
    members = session_members(program.pid)
    with pytest.raises(KeyboardInterrupt), interruptible(), ended_if_raised(program, seconds=60):  # noqa: PT012
        if stubborn:  # Ctrl-C once more
            soon_told(signal.SIGTERM)
        raise KeyboardInterrupt
    assert len(members) == 2
    assert [member for member in members if not gone(member)] == []
