# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said at once: with the option or file, the reason and the way out; never with a partial file."""
import os
import unittest

from cli_case import CliCase


class CommandLine(CliCase):
    def usage(self, *words, says):
        self.refused(*words, says=says, status=2)

    def test_unknown_words(self):
        self.usage("frobnicate", says="no command 'frobnicate'")
        self.usage("build", self.model, "--frobnicate", says="unknown option '--frobnicate'")
        self.usage("build", says="something is missing")
        self.usage("build", self.model, "another", says="one word too many")
        self.usage("build", self.model, "-o", says="needs a value")

    def test_values(self):
        self.usage("build", self.model, "--calib-count", "many", says="no whole number")
        self.usage("build", self.model, "--workspace", "lots", says="no size")
        self.usage("build", self.model, "--shape", "input=1xax2", says="no shape")
        self.usage("build", self.model, "--shape", "input=1x3x2x2", "--shape", "input=2x3x2x2", says="given twice")
        self.usage("run", self.engine, "--input", "input=a.npy", "--input", "input=b.npy", says="given twice")
        self.refused("build", self.model, "--shape", "image=1x3x2x2", says="no input of the model; it has 'input'")
        self.refused("run", self.engine, "--input", "image=a.npy", says="no input of that name; it has 'input'")
        self.usage("build", self.model, "--layer-precision", "conv=fp8", says="'fp8' is none of fp32")
        self.usage("build", self.model, "--disable-pass", "nonsense", says="inspect --passes")
        self.usage("build", self.model, "--calib-algo", "best", says="entropy2")
        self.usage("build", self.model, "--resize", "zoom", says="letterbox")
        self.usage("build", self.model, "--task", "guess", says="classify")

    def test_contradictions(self):
        self.usage("build", self.model, "--no-fusion", "--int8", says="contradict")
        self.usage("build", self.model, "--plan", "p", "--calib", "d", "--int8", says="contradict")
        self.usage("eval", self.engine, "--labels-csv", "l", "--images", "i", "--coco", "c", says="contradict")

    def test_options_that_would_do_nothing(self):
        self.usage("build", self.model, "--calib", self.pictures, says="add --int8")
        self.usage("build", self.model, "--int8", "--calib-count", "5", says="--calib")
        self.usage("build", self.model, "--int8", "--calib", self.pictures, "--recalibrate", says="--calib-cache")
        self.usage("build", self.model, "--labels-csv", self.labels, says="--max-drop")
        self.usage("build", self.model, "--int8", "--max-drop", "1", says="--labels-csv")
        self.usage("build", self.model, "--int8", "--max-drop", "1", "--labels-csv", self.labels, "--metric", "map",
                   says="is for top1")
        self.usage("run", self.engine, self.picture, "--int8", says="is an engine already")
        self.usage("bench", self.engine, "--mean", "1,2,3", says="is an engine already")
        self.usage("eval", self.engine, "--images", self.pictures, says="--coco")

    def test_what_is_not_there_names_the_way_round(self):
        self.usage("build", self.model, "--target", "0", says="as orin-nano or sm_87")
        self.usage("build", self.model, "--target", "orin-nano", "--device", "cpu", says="leave --device out")
        self.refused("build", self.model, "--target", "orange", says="known kinds: nano,")
        self.refused("build", self.model, "--device", "cuda", says="no NVIDIA driver")
        self.refused("build", self.model, "--device", "dla:0", says="not available")


class Files(CliCase):
    def test_missing(self):
        self.refused("build", self.path("none.onnx"), says="none.onnx")
        self.refused("run", self.path("none.engine"), self.picture, says="none.engine")
        self.refused("run", self.engine, self.path("none.png"), says="none.png")
        self.refused("eval", self.engine, "--labels-csv", self.path("none.csv"), says="none.csv")
        self.refused("check", self.path("none.engine"), says="none.engine")

    def test_names_cannot_command_the_terminal(self):
        error = self.refused("run", self.path("\x1b[2J\x7f\u009bmüde.engine"), self.picture,
                             says="\\x1b[2J\\x7f\\x9bmüde.engine")
        self.assertNotIn("\x1b", error)

    def test_empty(self):
        open(self.path("zero.engine"), "wb").close()
        for command in (["run", self.path("zero.engine"), self.picture], ["inspect", self.path("zero.engine")],
                        ["build", self.path("zero.engine")]):
            self.refused(*command, says="empty")
        self.refused("check", self.path("zero.engine"), says="zero.engine")

    def test_truncated_engine(self):
        with open(self.engine, "rb") as f:
            data = f.read()
        for size in (8, 100, len(data) // 2, len(data) - 1):
            with open(self.path("cut.engine"), "wb") as f:
                f.write(data[:size])
            self.refused("run", self.path("cut.engine"), self.picture, says="cut.engine")
            self.refused("check", self.path("cut.engine"), says="cut.engine")

    def test_empty_folder(self):
        os.makedirs(self.path("empty"), exist_ok=True)
        self.refused("build", self.model, "--int8", "--calib", self.path("empty"), says="no picture")

    def test_pictures_that_are_none(self):
        os.makedirs(self.path("fake"), exist_ok=True)
        for i in range(3):
            with open(os.path.join(self.path("fake"), "%d.jpg" % i), "w", encoding="utf-8") as f:
                f.write("no picture")
        self.refused("calibrate", self.model, "--calib", self.path("fake"), "-o", self.path("f.cache"),
                     says="none of the 3 samples could be read")
        self.assertFalse(os.path.exists(self.path("f.cache")))

    def test_output_that_cannot_be_written(self):
        self.refused("build", self.model, "-o", self.path("nowhere/x.engine"), says="nowhere/x.engine")
        self.refused("build", self.model, "-o", self.folder, says="is a folder")
        self.refused("calibrate", self.model, "--calib", self.pictures, "-o", self.path("nowhere/x.cache"),
                     says="nowhere/x.cache")
        with open(self.path("file"), "w", encoding="utf-8") as f:
            f.write("in the way")
        self.refused("run", self.engine, self.picture, "--draw", self.path("file"), says="file")

    def test_csv_without_its_columns(self):
        with open(self.path("bad.csv"), "w", encoding="utf-8") as f:
            f.write("picture,label\na.png,1\n")
        self.refused("eval", self.engine, "--labels-csv", self.path("bad.csv"), says="'file' and 'class_index'")
        with open(self.path("bad.csv"), "w", encoding="utf-8") as f:
            f.write("file,class_index\na.png,cat\n")
        self.refused("eval", self.engine, "--labels-csv", self.path("bad.csv"), says="bad.csv:2: 'cat'")

    def test_an_engine_of_another_model_is_not_compared(self):
        self.refused("compare", self.model, self.model, self.picture, says="is no engine")
        self.refused("compare", self.engine, self.engine, self.picture, says="is an engine")

    def test_task_that_the_outputs_are_not_for(self):
        for words, says in ((["--decoder", "yolov8"], "yolov8 does not fit the network's outputs"),
                            (["--task", "segment"], "a segmentation's output is")):
            self.refused("build", self.model, "-o", self.path("unfit.engine"), *words, says=says)
            self.assertFalse(os.path.exists(self.path("unfit.engine")))
        self.refused("run", self.engine, self.picture, "--task", "detect", says="--task detect")
        self.refused("eval", self.engine, "--images", self.pictures, "--coco", self.pictures, says="'classify'")


if __name__ == "__main__":
    unittest.main()
