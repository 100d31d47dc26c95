"""The runner of first_light: nothing that happens in one case may cost the figures of another."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.first_light import runner, wheels

ROOT = Path(__file__).parents[2]
CASES = """
import os, sys, time
from benchmarks.first_light import runner

def fails():
    raise ValueError("no such kernel\\nand more")

def loses_the_device():
    raise RuntimeError("CUDA error: an illegal memory access was encountered")

cases = {
    "good": lambda: {"value": 1},
    "fails": fails,
    "dies": lambda: os._exit(9),
    "device": loses_the_device,
    "sleeps": lambda: time.sleep(600) or {},
    "process": lambda: {"pid": os.getpid()},
}
runner.work({name: cases[name] for name in sys.argv[1:]})
"""


def told(tmp_path, *names, seconds=60.0):
    command = [sys.executable, "-c", CASES]
    log = tmp_path / "log"
    found = dict(runner.run(command, names, until=time.monotonic() + seconds, log=log))
    return found, log.read_text(encoding="utf-8")


def test_a_case_that_raises_and_one_that_kills_its_process_are_told_and_the_others_have_their_figures(tmp_path):
    found, log = told(tmp_path, "good", "fails", "dies", "process")
    assert list(found) == ["good", "fails", "dies", "process"]
    assert found["good"]["value"] == 1
    assert found["fails"]["error"] == "ValueError: no such kernel"
    assert "the process died" in found["dies"]["error"]
    assert found["process"]["pid"]
    assert "and more" in log


def test_after_the_device_has_failed_the_rest_runs_in_another_process(tmp_path):
    found, _ = told(tmp_path, "process", "device")
    again, _ = told(tmp_path, "device", "process")
    assert "CUDA error" in found["device"]["error"]
    assert again["process"]["pid"]


def test_a_case_that_takes_too_long_is_ended_with_all_it_has_started(tmp_path):
    found, _ = told(tmp_path, "process", "sleeps", "good", seconds=8)
    assert list(found) == ["process", "sleeps"]
    assert found["sleeps"]["out_of_time"]
    assert not psutil.pid_exists(found["process"]["pid"])


def test_a_killed_parent_leaves_no_process_on_the_gpu(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from benchmarks.first_light import runner\n"
        f"for name, figures in runner.run([sys.executable, '-c', {CASES!r}], ['process', 'sleeps'], "
        f"until=time.monotonic() + 60, log=Path({str(tmp_path / 'log')!r})): print(figures['pid'], flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    child.wait(timeout=30)


@pytest.mark.parametrize(
    ("need", "fault"), [("torch>=99", "there it is 2.11.0"), ("nowhere", "neither there nor among")]
)
def test_wheels_that_lack_something_are_told_before_they_travel(tmp_path, need, fault):
    import zipfile

    with zipfile.ZipFile(tmp_path / "thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing-1.0.dist-info/METADATA", f"Name: thing\nRequires-Python: <3.10\nRequires-Dist: {need}\n")
    found = wheels.faults(tmp_path, "3.12")
    assert any(fault in line for line in found)
    assert any("needs Python" in line for line in found)
