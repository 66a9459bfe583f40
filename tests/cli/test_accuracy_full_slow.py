# SPDX-License-Identifier: Apache-2.0
"""Accuracy on all pictures of the real data: the figures of ONNX Runtime in FP32, from options alone."""
import csv
import os
import shutil
import tempfile
import unittest

import numpy

from accuracy_cases import CASES, evaluate
from support.ferry_python import call, call_json, data_path


class AllPictures(unittest.TestCase):
    pass


def make(case):
    def test(self):
        figures = evaluate(case)
        self.assertEqual(figures["unreadable"], 0)
        self.assertAlmostEqual(figures[case.key], case.expected, delta=case.tolerance)
    return test


for one in CASES:
    setattr(AllPictures, "test_" + one.name, make(one))


class RoundedBetweenLayers(unittest.TestCase):
    """A Q/DQ network that runs in float: top-1 moves with each value that falls on the other side of a rounding, so the
    outputs are held against those of the unfused network too."""

    def test_outputs_are_the_unfused_networks(self):
        case = next(c for c in CASES if c.name == "mobilenet_075_qdq")
        model, folder = data_path("models", case.model), data_path("imagenet", "images")
        pictures = [os.path.join(folder, name) for name in sorted(os.listdir(folder))[:40]]
        place = tempfile.mkdtemp(prefix="ferry-qdq-")
        self.addCleanup(shutil.rmtree, place, True)
        engine = os.path.join(place, "q.engine")
        call("build", model, "-o", engine, "--task", "raw")
        words = [word for word in case.options if word not in ("--class-offset", "1")]
        (output,) = call_json("compare", engine, model, *pictures, *words)["outputs"]
        self.assertGreater(output["cosine"], 0.999)


class TextLines(unittest.TestCase):
    """PP-OCRv4: the network reads lines of any width; what its outputs mean (greedy CTC) is decoded here."""

    def test_lines_are_read(self):
        model, labels = data_path("models", "ppocrv4_rec.onnx"), data_path("ocr-lines", "labels.csv")
        folder = tempfile.mkdtemp(prefix="ferry-ocr-")
        self.addCleanup(shutil.rmtree, folder, True)
        engine = os.path.join(folder, "ocr.engine")
        shapes = [word for kind, width in (("min", 16), ("opt", 320), ("max", 2048))
                  for word in ("--%s-shape" % kind, "x=1x3x48x%d" % width)]
        call("build", model, "-o", engine, *shapes, "--task", "raw", "--keep-ratio-height", "48", "--color", "bgr",
             "--mean", "127.5", "--std", "127.5")
        with open(labels, encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        pictures = [os.path.join(os.path.dirname(labels), row["file"]) for row in rows]
        call("run", engine, *pictures, "--output", os.path.join(folder, "out"), "-q")
        characters = self.characters(model)
        right = 0
        for row, picture in zip(rows, pictures):
            stem = os.path.splitext(os.path.basename(picture))[0]
            scores = numpy.load(os.path.join(folder, "out", stem, "softmax_11.tmp_0.npy"))
            right += self.read(scores[0], characters) == row["text"]
        # ONNX Runtime reads 73 of these 80 without a mistake.
        self.assertLessEqual(abs(right - 73), 1)

    @staticmethod
    def characters(model):
        import onnx
        metadata = {p.key: p.value for p in onnx.load(model, load_external_data=False).metadata_props}
        return [""] + metadata["character"].split("\n") + [" "]

    @staticmethod
    def read(scores, characters):
        best, text, before = scores.argmax(axis=1), [], 0
        for index in best:
            if index != before and index != 0:
                text.append(characters[index])
            before = index
        return "".join(text)


if __name__ == "__main__":
    unittest.main()
