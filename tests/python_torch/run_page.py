# SPDX-License-Identifier: Apache-2.0
"""Runs the Python blocks of a page, and the cells of a notebook, as a reader would: in order, in one folder."""
import json
import os
import re
import shutil

import other_python

SOURCE = other_python.SOURCE


def blocks_of(page):
    """(first line, code) of each ```python block of a Markdown file."""
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        text = file.read()
    return [(text.count("\n", 0, match.start()) + 2, match.group(1))
            for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)]


def cells_of(notebook):
    """(number, code) of each code cell."""
    with open(os.path.join(SOURCE, notebook), encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    return [(i, "".join(cell["source"])) for i, cell in enumerate(cells) if cell["cell_type"] == "code"]


def furnish(folder):
    """What the pages speak of: pictures/, some more beside it, and the labels of ImageNet's classes."""
    examples = os.path.join(SOURCE, "examples")
    shutil.copytree(os.path.join(examples, "pictures", "calibrate"), os.path.join(folder, "pictures"))
    for name in ("cat.jpg", "cup.jpg"):
        shutil.copy(os.path.join(examples, "pictures", "run", name), folder)
    shutil.copy(os.path.join(examples, "labels", "imagenet.txt"), folder)


def run(page, blocks, folder, namespace=None):
    """Executes the blocks in the folder; returns their namespace. A traceback names the page and its line."""
    namespace = {"__name__": "__page__"} if namespace is None else namespace
    before = os.getcwd()
    os.chdir(folder)
    try:
        for line, code in blocks:
            # Classes in a page may be pickled or inspected: their code must have its place in the page.
            exec(compile("\n" * (line - 1) + code, os.path.join(SOURCE, page), "exec"), namespace)
    finally:
        os.chdir(before)
    return namespace
