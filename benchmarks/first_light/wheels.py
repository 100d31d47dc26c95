"""Whether a folder of wheels will do on a machine that cannot fetch anything: their Python, their needs, their size.

python -m benchmarks.first_light.wheels benchmarks/wheels 3.12
"""

from __future__ import annotations

import sys
import zipfile
from email.parser import Parser
from pathlib import Path

MOST_MB = 40
# What such a machine has, by the names that packages ask for; a version where one is known.
THERE = {
    "torch": "2.11.0",
    "transformers": "5.17.0",
    "accelerate": "1.15.0",
    "huggingface-hub": "1.33.0",
    "safetensors": "0.8.0",
    "tokenizers": "0.23.2",
    "numpy": "2.5.2",
    "pillow": "",
    "psutil": "",
    "filelock": "",
    "regex": "",
    "requests": "",
    "httpx": "",
    "tqdm": "",
    "pyyaml": "",
    "packaging": "",
    "tabulate": "",
}


def faults(folder: Path, python: str) -> list[str]:
    """What is wrong, one line each; empty if nothing is."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name, parse_wheel_filename

    wheels = sorted(folder.glob("*.whl"))
    here = dict(THERE)
    told = []
    read = {}
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        here[name] = str(version)
        with zipfile.ZipFile(wheel) as archive:
            [member] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
            read[name] = Parser().parsestr(archive.read(member).decode("utf-8"))
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "extra": ""}
    for name, metadata in read.items():
        wanted = SpecifierSet(metadata.get("Requires-Python") or "")
        if f"{python}.9" not in wanted:
            told.append(f"{name} needs Python {wanted}")
        for text in metadata.get_all("Requires-Dist") or []:
            need = Requirement(text)
            if need.marker is not None and not need.marker.evaluate(environment):
                continue
            found = here.get(canonicalize_name(need.name))
            if found is None:
                told.append(f"{name} needs {need}: it is neither there nor among the wheels")
            elif found and found not in need.specifier:
                told.append(f"{name} needs {need}: there it is {found}")
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    if not wheels or size > MOST_MB:
        told.append(f"{len(wheels)} wheels of {size:.1f} MB: from 1, and {MOST_MB} MB at most")
    return told


def main() -> None:
    folder, python = Path(sys.argv[1]), sys.argv[2]
    found = faults(folder, python)
    for wheel in sorted(folder.glob("*.whl")):
        print(f"{wheel.stat().st_size / 1e6:6.1f} MB  {wheel.name}")
    if found:
        raise SystemExit("\n".join(["first_light_prepare:", *found]))
    print(f"complete for Python {python}: now run benchmarks/first_light.sh on the machine with the GPU")


if __name__ == "__main__":
    main()
