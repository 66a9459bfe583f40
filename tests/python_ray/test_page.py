# SPDX-License-Identifier: Apache-2.0
"""The block of docs/PYTHON.md on clusters runs as it stands, on a model of the test's own."""
import csv
import os
import tempfile
import unittest

import ray_case

ray_case.ensure_ray(os.path.abspath(__file__))

import ray_nets  # noqa: E402
import run_page  # noqa: E402


class Page(unittest.TestCase):
    def test_the_block_on_clusters(self):
        blocks = [b for b in run_page.blocks_of("docs/PYTHON.md") if "ferry.ray" in b[1]]
        self.assertEqual(len(blocks), 1)
        with tempfile.TemporaryDirectory() as folder, ray_case.TwoNodes():
            run_page.furnish(folder)
            with open(os.path.join(folder, "model.onnx"), "wb") as file:
                file.write(ray_nets.classifier(batch=1, classes=1000, size=224))
            pictures = sorted(os.listdir(os.path.join(folder, "pictures")))
            with open(os.path.join(folder, "labels.csv"), "w", newline="") as file:
                csv.writer(file).writerows([("file", "class_index")] + [
                    (os.path.join("pictures", name), i) for i, name in enumerate(pictures)])
            found = run_page.run("docs/PYTHON.md", blocks, folder)
            self.assertEqual(found["score"].pictures, len(pictures))
            with open(os.path.join(folder, "model.cache")) as file:
                self.assertEqual(file.read(), found["cache"])
            self.assertTrue(os.listdir(os.path.join(folder, "results")))


if __name__ == "__main__":
    unittest.main()
