#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds the words that save most bytes of the CUDA kernels' texts, for cmake/kernel_words.txt: in turn, the one that
saves most of what those before it left. Prints them, a line each, with ` for a blank."""
import collections
import glob
import os
import re

WORDS, LONGEST = 128, 43
COST = 9  # about what an entry costs besides its own bytes
KERNELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "backend", "cuda", "kernels", "*.cuh")


def plain(text):
    """As cmake/WriteKernelTexts.cmake leaves a text."""
    text = re.sub(r"[ \t]*//[^\n]*", "", "\n" + text)
    return re.sub(r"\n[ \n]+", "\n", re.sub(r"[ \t]+", " ", text))


def best_word(texts):
    counts = collections.Counter()
    for text in texts:
        for piece in re.split("[\n`\x80-\xff]", text):
            for length in range(2, LONGEST + 1):
                counts.update(piece[i:i + length] for i in range(len(piece) - length + 1))
    return max(counts.items(), key=lambda c: ((len(c[0]) - 1) * c[1] - len(c[0]) - COST, c[0]))[0]


def main():
    texts = []
    for path in sorted(glob.glob(KERNELS)):
        with open(path, encoding="ascii") as file:
            texts.append(plain(file.read()))
    for code in range(128, 128 + WORDS):
        word = best_word(texts)
        texts = [text.replace(word, chr(code)) for text in texts]
        print(word.replace(" ", "`"))


if __name__ == "__main__":
    main()
