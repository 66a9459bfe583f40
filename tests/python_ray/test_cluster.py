# SPDX-License-Identifier: Apache-2.0
"""ferry.ray on a cluster of two nodes: the results are one machine's, also when a worker is killed in the middle."""
import csv
import json
import os
import signal
import sys
import tempfile
import threading
import time
import unittest

import ray_case

ray_case.ensure_ray(os.path.abspath(__file__))

import numpy  # noqa: E402
import ray  # noqa: E402
import ray.data  # noqa: E402

import ferry  # noqa: E402
import ferry.ray  # noqa: E402
import ray_nets  # noqa: E402
from ferry._oneliners import network_of  # noqa: E402
from ferry.ray._worker import build_config  # noqa: E402
from PIL import Image  # noqa: E402
from support.ferry_python import call_json  # noqa: E402


PREPROCESS = {"size": "32x32", "mean": (127, 127, 127), "std": (64, 64, 64), "resize": "stretch"}
COUNT, PART = 41, 4
nodes = None


def setUpModule():
    global nodes
    # Workers can't import this file: its classes travel with their code.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    nodes = ray_case.TwoNodes()
    nodes.__enter__()


def tearDownModule():
    nodes.__exit__(None, None, None)


class Slowly:
    """A step that takes its time, so that something can happen meanwhile."""

    def __call__(self, row):
        time.sleep(0.1)
        return row


class Assassin(threading.Thread):
    """Kills one worker of this test's cluster while it is at a task of that name: Ray titles its processes so."""

    def __init__(self, title):
        super().__init__(daemon=True)
        self.title, self.killed, self.over = title.encode(), 0, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exception):
        self.over = True
        self.join()

    def run(self):
        while not self.over and not self.killed:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open("/proc/%s/cmdline" % pid, "rb") as file:
                        if file.read().startswith(self.title) and is_descendant(int(pid)):
                            os.kill(int(pid), signal.SIGKILL)
                            self.killed += 1
                            return
                except OSError:  # it has ended meanwhile
                    continue


def is_descendant(pid):
    """Whether a process comes from this one: the machine may hold other clusters."""
    while pid > 1:
        if pid == os.getpid():
            return True
        with open("/proc/%d/stat" % pid) as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])
    return False


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = os.path.join(cls.scratch.name, "pictures")
        os.mkdir(cls.folder)
        random = numpy.random.RandomState(3)
        for i in range(COUNT):
            pixels = random.randint(0, 256, (1 + i % 5, 1 + i % 3, 3)).astype(numpy.uint8)
            Image.fromarray(pixels).resize((40 + i, 50)).save(os.path.join(cls.folder, "p%02d.png" % i))
        cls.model = os.path.join(cls.scratch.name, "m.onnx")
        with open(cls.model, "wb") as file:
            file.write(ray_nets.classifier())
        words = dict(PREPROCESS, task="classify", shape={"image": (1, 3, 32, 32)})
        cls.engine = os.path.join(cls.scratch.name, "m.engine")
        ferry.build(cls.model, cls.engine, progress=False, **words)
        cls.words = dict(PREPROCESS, shape={"image": (1, 3, 32, 32)})

    def path(self, name):
        return os.path.join(self.scratch.name, "%s-%s" % (self.id().rsplit(".", 1)[-1], name))

    def one_machine(self, source, model=None, words=None, **calibration):
        """Histograms of a single process."""
        network = network_of(model or self.model)
        runtime = ferry.default_runtime()
        config = build_config(dict(words or self.words, progress=False), runtime, network)
        config.calibration = ferry.Calibration(source, **calibration)
        return ferry.Builder(runtime).observe(network, config)

    def dataset(self):
        """The pictures as bytes in a dataset of several blocks."""
        return ray.data.read_binary_files(self.folder, include_paths=True, override_num_blocks=6)

    # --- Calibration -------------------------------------------------------------------------------------------------

    def test_histograms_are_one_machines_to_the_bit(self):
        want = self.one_machine(self.folder).serialize()
        for part in (1, 5, 1000):
            got = ferry.ray.observe(self.model, self.folder, part=part, **self.words)
            self.assertEqual(got.sample_count, COUNT)
            self.assertEqual(got.serialize(), want, part)
        listing = self.path("list.txt")
        with open(listing, "w") as file:
            file.write("\n".join(os.path.join(self.folder, "p%02d.png" % i) for i in range(COUNT)))
        with open(self.model, "rb") as file:
            self.assertEqual(ferry.ray.observe(file.read(), listing, **self.words).serialize(), want)

    def test_drawn_samples_are_those_that_one_machine_draws(self):
        want = self.one_machine(self.folder, count=9, seed=4)
        got = ferry.ray.observe(self.model, self.folder, calib_count=9, calib_seed=4, part=2, **self.words)
        self.assertEqual(got.sample_count, 9)
        self.assertEqual(got.serialize(), want.serialize())
        self.assertNotEqual(got.serialize(), self.one_machine(self.folder, count=9, seed=5).serialize())

    def test_parquet_datasets_and_arrays(self):
        want = self.one_machine(self.folder).serialize()
        self.assertEqual(ferry.ray.observe(self.model, self.dataset(), part=PART, **self.words).serialize(), want)
        parquet = self.path("parquet")
        self.dataset().rename_columns({"bytes": "jpeg"}).write_parquet(parquet)
        got = ferry.ray.observe(self.model, parquet, column="jpeg", part=PART, **self.words)
        self.assertEqual(got.serialize(), want)
        rows = numpy.random.RandomState(1).randn(19, 3, 32, 32).astype(numpy.float32)
        npy = self.path("rows.npy")
        numpy.save(npy, rows)
        shape = {"shape": self.words["shape"]}
        want = self.one_machine(npy, words=shape).serialize()
        for source in (npy, ray.data.from_numpy(rows)):
            self.assertEqual(ferry.ray.observe(self.model, source, part=PART, **shape).serialize(), want)

    def test_caches_and_builds_are_one_machines(self):
        one, many = self.path("one.cache"), self.path("many.cache")
        kinds = dict(self.words, int8=True, task="classify", progress=False)
        want = ferry.build(self.model, calib=self.folder, calib_cache=one, calib_algo="percentile:99.9", **kinds)
        text = ferry.ray.calibrate(self.model, self.folder, calib_algo="percentile:99.9", calib_cache=many, part=PART,
                                   **self.words)
        with open(one) as a, open(many) as b:
            self.assertEqual(a.read(), b.read())
        self.assertEqual(ferry.ray.calibrate(self.model, "/no/such/folder", calib_cache=many), text)
        got = ferry.ray.build(self.model, calib=self.folder, calib_algo="percentile:99.9", part=PART, **dict(
            kinds, int8=True))
        self.assertEqual(got.engine.numeric_plan, want.engine.numeric_plan)
        with self.assertRaises(ferry.UnsupportedError) as caught:
            ferry.ray.calibrate(self.model, self.folder, calib_algo="auto", **self.words)
        self.assertIn("auto", str(caught.exception))

    def test_a_fixed_batch_is_never_cut(self):
        model = self.path("four.onnx")
        with open(model, "wb") as file:
            file.write(ray_nets.classifier(batch=4))
        want = self.one_machine(self.folder, model, words=PREPROCESS)
        got = ferry.ray.observe(model, self.folder, part=6, **PREPROCESS)
        self.assertEqual((got.sample_count, got.serialize()), (COUNT - COUNT % 4, want.serialize()))
        with self.assertRaises(ferry.UnsupportedError):
            ferry.ray.observe(model, self.dataset(), **PREPROCESS)

    # --- What goes wrong ---------------------------------------------------------------------------------------------

    def test_a_worker_that_is_killed_loses_nothing_and_counts_nothing_twice(self):
        # Large enough that a worker is at it for a while.
        words, model = {"size": "384x384", "shape": {"image": (1, 3, 384, 384)}}, ray_nets.classifier(size=384)
        want = self.one_machine(self.folder, model, words).serialize()
        with Assassin("ray::MapBatches(Observe)") as assassin:
            got = ferry.ray.observe(model, self.folder, part=14, **words)
        self.assertEqual(assassin.killed, 1)
        self.assertEqual((got.sample_count, got.serialize()), (COUNT, want))
        with Assassin("ray::MapBatches(Observe)") as assassin, self.assertRaises(ray.exceptions.RayError):
            ferry.ray.observe(model, self.folder, part=14, retries=0, **words)
        self.assertEqual(assassin.killed, 1)

    def test_workers_that_are_killed_while_they_run_evaluate_and_read(self):
        with Assassin("ray::MapBatches(Run)") as assassin:
            rows = ferry.ray.run(self.engine, self.folder, part=COUNT, progress=False).take_all()
        self.assertEqual(assassin.killed, 1)
        self.assertEqual((len(rows), len({row["path"] for row in rows})), (COUNT, COUNT))
        labels = self.path("labels.csv")
        with open(labels, "w", newline="") as file:
            csv.writer(file).writerows([("file", "class_index")] + [
                (os.path.join("pictures", "p%02d.png" % i), i % 7) for i in range(COUNT)])
        want = ferry.ray.evaluate(self.engine, labels_csv=labels)
        with Assassin("ray::MapBatches(Evaluate)") as assassin:
            got = ferry.ray.evaluate(self.engine, labels_csv=labels, part=COUNT)
        self.assertEqual(assassin.killed, 1)
        self.assertEqual((got.topk.hits1, got.pictures), (want.topk.hits1, COUNT))
        histograms = self.one_machine(self.folder).serialize()
        with Assassin("ray::ReadBinary->Map(Slowly)") as assassin:
            got = ferry.ray.observe(self.model, self.dataset().map(Slowly()), column="bytes", part=2, **self.words)
        self.assertEqual(assassin.killed, 1)
        self.assertEqual((got.sample_count, got.serialize()), (COUNT, histograms))

    def test_a_node_that_is_lost(self):
        want, lost = self.one_machine(self.folder).serialize(), []

        def lose(report):
            if report.done and not lost:
                lost.append(nodes.replace_node())

        source = self.dataset().map(Slowly())
        got = ferry.ray.observe(self.model, source, column="bytes", part=2, progress=lose, **self.words)
        self.assertEqual(len(lost), 1)
        self.assertEqual((got.sample_count, got.serialize()), (COUNT, want))

    def test_an_error_in_a_worker_is_that_error_here(self):
        with self.assertRaises(ferry.InvalidArgumentError) as caught:
            ferry.ray.observe(self.model, ray.data.from_numpy(numpy.zeros((4, 5), numpy.float32)), **{
                "shape": self.words["shape"]})
        self.assertIn("image", str(caught.exception))
        missing = ray.data.from_items([{"path": "/no/such/picture.png"}])
        with self.assertRaises(ferry.FileError) as caught:
            ferry.ray.observe(self.model, missing, **self.words)
        self.assertIn("storage that all nodes see", str(caught.exception))

    def test_mistakes_are_named_before_anything_runs(self):
        for error, words, call in (
                (TypeError, "has no option 'sise'", lambda: ferry.ray.observe(self.model, self.folder, sise="1x1")),
                (ferry.FileError, "no such file", lambda: ferry.ray.observe(self.model, "/no/such/folder")),
                (ferry.InvalidArgumentError, "no column 'a'", lambda: ferry.ray.observe(
                    self.model, self.dataset(), column="a")),
                (ferry.InvalidArgumentError, "which of the columns", lambda: ferry.ray.run(
                    self.engine, ray.data.from_items([{"a": 1, "b": 2}]))),
                (ferry.InvalidArgumentError, "part is 0", lambda: ferry.ray.run(self.engine, self.folder, part=0)),
                (ferry.InvalidArgumentError, "one of labels_csv", lambda: ferry.ray.evaluate(self.engine, self.folder)),
                (TypeError, "no option 'topk'", lambda: ferry.ray.run(self.engine, self.folder, topk=3))):
            with self.subTest(words), self.assertRaises(error) as caught:
                call()
            self.assertIn(words, str(caught.exception))

    def test_progress_counts_samples_and_may_cancel(self):
        seen = []
        ferry.ray.observe(self.model, self.folder, part=10, progress=seen.append, **self.words)
        self.assertEqual([(r.phase, r.total) for r in seen], [("calibrate", COUNT)] * len(seen))
        self.assertEqual((seen[0].done, seen[-1].done, len(seen)), (0, COUNT, 6))
        with self.assertRaises(ferry.CancelledError):
            ferry.ray.observe(self.model, self.folder, part=1, progress=lambda r: r.done < 3, **self.words)

    # --- Evaluation --------------------------------------------------------------------------------------------------

    def test_top1_and_top5_are_the_commands(self):
        labels = self.path("labels.csv")
        with open(labels, "w", newline="") as file:
            csv.writer(file).writerows([("file", "class_index")] + [
                (os.path.join("pictures", "p%02d.png" % i), i % 7) for i in range(COUNT)])
        want = call_json("eval", self.engine, "--labels-csv", labels)
        got = ferry.ray.evaluate(self.engine, labels_csv=labels, part=PART)
        # The command prints ten digits.
        self.assertEqual((round(got.topk.top1, 10), round(got.topk.top5, 10), got.pictures),
                         (want["top1"], want["top5"], COUNT))
        self.assertTrue(0 < got.topk.top1 < got.topk.top5 < 1)
        rows = [dict(row, label=int(row["path"][-6:-4]) % 7) for row in self.dataset().take_all()]
        again = ferry.ray.evaluate(ferry.load(self.engine), ray.data.from_items(rows), label_column="label", part=PART)
        self.assertEqual((again.topk.hits1, again.topk.hits5), (got.topk.hits1, got.topk.hits5))

    def test_average_precision_is_the_commands(self):
        model, engine, truth = self.path("d.onnx"), self.path("d.engine"), self.path("truth")
        with open(model, "wb") as file:
            file.write(ray_nets.detector())
        ferry.build(model, engine, progress=False, task="detect", decoder="yolov8", **PREPROCESS)
        os.mkdir(truth)
        random = numpy.random.RandomState(11)
        found = {row["path"]: json.loads(row["result"]) for row in ferry.ray.run(
            engine, self.folder, part=PART, score_threshold=0.6).take_all()}
        for i in range(COUNT - 2):  # the truth knows nothing of two pictures
            name = "p%02d" % i
            width, height = 40 + i, 50
            boxes = next(v for k, v in found.items() if name in k)["detections"][:2]
            lines = []
            for box in boxes:  # what was found, moved a little, so that precision is neither 0 nor 1
                x1, y1, x2, y2 = [b + random.randn() * 2 for b in box["box"]]
                lines.append("%d %.6f %.6f %.6f %.6f" % (box["class"], (x1 + x2) / 2 / width,
                                                       (y1 + y2) / 2 / height, abs(x2 - x1) / width,
                                                       abs(y2 - y1) / height))
            with open(os.path.join(truth, name + ".txt"), "w") as file:
                file.write("\n".join(lines))
        want = call_json("eval", engine, "--images", self.folder, "--coco", truth)
        got = ferry.ray.evaluate(engine, self.folder, coco=truth, part=PART)
        self.assertEqual((round(got.precision.map50, 10), round(got.precision.map, 10), got.pictures,
                          got.without_truth),
                         (want["map50"], want["map"], COUNT - 2, 2))
        self.assertTrue(0 < got.precision.map < got.precision.map50 < 1, got)
        again = ferry.ray.evaluate(engine, self.dataset(), coco=truth, part=PART)
        self.assertEqual(again.precision, got.precision)
        self.assertEqual(again.without_truth, 2)

    # --- Bulk inference ----------------------------------------------------------------------------------------------

    def test_results_are_one_machines_and_columns_stay(self):
        model = ferry.load(self.engine)
        want = {name: model(os.path.join(self.folder, name)).to_json() for name in sorted(os.listdir(self.folder))}
        for source in (self.folder, self.dataset().add_column("note", lambda batch: ["kept"] * len(batch))):
            rows = ferry.ray.run(self.engine, source, part=PART, progress=False).take_all()
            self.assertEqual({os.path.basename(row["path"]): row["result"] for row in rows}, want)
            self.assertEqual({row["error"] for row in rows}, {None})
        self.assertEqual({row["note"] for row in rows}, {"kept"})
        out = self.path("json")
        ferry.ray.run(self.engine, self.folder, part=PART, progress=False, top_k=1).write_json(out)
        lines = [json.loads(line) for name in os.listdir(out) for line in open(os.path.join(out, name))]
        self.assertEqual(len(lines), COUNT)
        self.assertEqual({len(json.loads(line["result"])["classes"]) for line in lines}, {1})

    def test_raw_outputs_and_arrays(self):
        raw = self.path("raw.engine")
        ferry.build(self.model, raw, progress=False, shape=self.words["shape"])
        rows = numpy.random.RandomState(1).randn(9, 3, 32, 32).astype(numpy.float32)
        got = ferry.ray.run(raw, ray.data.from_numpy(rows), part=2, task="raw", progress=False).take_all()
        model = ferry.load(raw, task="raw")
        for row in got:
            numpy.testing.assert_array_equal(row["out"], model(row["data"][None])["out"][0])
        self.assertEqual(len(got), 9)

    def test_a_damaged_picture_is_told_and_stops_nothing(self):
        rows = self.dataset().take_all()
        rows[3]["bytes"] = rows[3]["bytes"][:100]
        done = ferry.ray.run(self.engine, ray.data.from_items(rows), part=PART, progress=False).take_all()
        bad = [row for row in done if row["error"]]
        self.assertEqual([row["path"] for row in bad], [rows[3]["path"]])
        self.assertIsNone(bad[0]["result"])
        self.assertEqual(len(done), COUNT)


if __name__ == "__main__":
    unittest.main()
