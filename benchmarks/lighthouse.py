"""What Lighthouse says of the blog: the home page and a post, as a phone on a slow line gets them.

    .venv/bin/python -m benchmarks.lighthouse [--url http://127.0.0.1:3000] [--rounds 5]

Asks a site that runs (`./glad demo`, then `./glad up`), so that what is measured is what ships. Lighthouse comes by npm
(npx), at the version named here, and takes the machine's Chromium; mobile, with its own throttling. Each round looks at
both pages. Prints the median of each category and of the figures behind it, and writes
`benchmarks/results/lighthouse.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import report

LIGHTHOUSE = "lighthouse@12.8.2"  # the newest that runs on Node.js 20
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
AUDITS = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="the site")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    site = asked.url.rstrip("/")
    pages = {"home": f"{site}/", "post": f"{site}{newest_post(site)}"}
    looks: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for number in range(asked.rounds):
        for name, url in pages.items():
            looks[name].append(look(url))
            print(f"round {number + 1}, {name}: {looks[name][-1]}", file=sys.stderr)
    figures = {
        name: {each: statistics.median(one[each] for one in rounds) for each in rounds[0]}
        for name, rounds in looks.items()
    }
    report.write("lighthouse", {"lighthouse": LIGHTHOUSE, "rounds": asked.rounds, "median": figures})
    print(json.dumps(figures, indent=2))
    return 0


def newest_post(site: str) -> str:
    """The path of the lead story."""
    home = httpx2.get(f"{site}/", timeout=30).text
    found = re.search(r'<h2[^>]*><a[^>]* href="(/posts/[^"]+)"', home)
    if found is None:
        sys.exit(f"{site}/ shows no story: `./glad demo` publishes some")
    return found[1]


def look(url: str) -> dict[str, float]:
    """One look at a page: scores from 0 to 100, milliseconds, and the shift."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={path}"]
        command += [f"--chrome-flags={FLAGS}", f"--only-categories={','.join(CATEGORIES)}"]
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium}, stdout=subprocess.DEVNULL)
        said: dict[str, Any] = json.loads(path.read_text())
    for each in said["audits"].values():
        if each["score"] is not None and each["score"] < 1 and each["scoreDisplayMode"] == "binary":
            print(f"  {each['id']}: {each['title']}", file=sys.stderr)
    scores = {name: round(100 * said["categories"][name]["score"]) for name in CATEGORIES}
    return {**scores, **{name: round(said["audits"][name]["numericValue"], 3) for name in AUDITS}}


if __name__ == "__main__":
    raise SystemExit(main())
