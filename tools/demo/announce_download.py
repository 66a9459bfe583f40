#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says how much pip is about to download for some packages, and stops where the disk could not hold it.

usage: announce_download.py DIR PACKAGE...   (run by the environment's python; DIR is where it will be installed)"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

# A wheel is kept packed in pip's cache and unpacked in the environment, about twice its size, and once in /tmp.
UNPACKED = 2.2


def planned(packages):
    """(name, url) of every file that pip would fetch."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.json")
        subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet",
                        "--dry-run", "--only-binary=:all:", "--report", report] + packages, check=True)
        with open(report, encoding="utf-8") as f:
            plan = json.load(f)
    return [(item["metadata"]["name"], item["download_info"]["url"]) for item in plan["install"]]


def size_of(url):
    if url.startswith("file:"):
        return 0
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.headers.get("Content-Length", 0))


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    target, packages = sys.argv[1], sys.argv[2:]
    files = planned(packages)
    sizes = [(size_of(url), name) for name, url in files]
    total = sum(size for size, _ in sizes)
    print("to download: %.0f MB in %d packages (%s)" % (total / 1e6, len(sizes), ", ".join(
        "%s %.0f MB" % (name, size / 1e6) for size, name in sorted(sizes, reverse=True) if size > 20e6)), flush=True)
    largest = max((size for size, _ in sizes), default=0)
    cache = subprocess.run([sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True).stdout.strip()
    needs = {}
    for folder, wanted in ((target, UNPACKED * total), (tempfile.gettempdir(), largest), (cache, total)):
        while folder and not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        if folder:
            device = os.stat(folder).st_dev
            needs.setdefault(device, [folder, 0])[1] += wanted
    for folder, wanted in needs.values():
        free = shutil.disk_usage(folder).free
        print("disk of %s: %.1f GB needed, %.1f GB free" % (folder, wanted / 1e9, free / 1e9), flush=True)
        if wanted > free:
            print("error: not enough room: free some, or install torch by other means (any torch that python3 can import "
                  "is used)", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
