# SPDX-License-Identifier: Apache-2.0
"""Pictures in, results out: files, PIL images and arrays; preprocessing, decoders, drawing, metrics."""
import glob
import io
import json
import os
import pickle
import tempfile
import unittest

import numpy

import python_case as case
import ferry

try:
    from PIL import Image
except ImportError:
    raise unittest.SkipTest("no pillow here")

PICTURES = sorted(glob.glob(os.path.join(case.SOURCE, "examples", "pictures", "run", "*.jpg")))
RANDOM = numpy.random.RandomState(0)


def noise(height=24, width=32, channels=3):
    return RANDOM.randint(0, 256, (height, width, channels)).astype(numpy.uint8)


class Pictures(unittest.TestCase):
    def test_files_read_as_pillow_reads_them(self):
        for path in PICTURES[:3]:
            with Image.open(path) as image:
                expected = numpy.asarray(image.convert("RGB"))
            numpy.testing.assert_array_equal(ferry.read_picture(path), expected)
            with open(path, "rb") as file:
                numpy.testing.assert_array_equal(ferry.read_picture(file.read()), expected)

    def test_what_is_written_reads_back(self):
        pixels = noise()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "p.png")
            ferry.write_picture(path, pixels)
            numpy.testing.assert_array_equal(ferry.read_picture(path), pixels)
            ferry.write_picture(os.path.join(folder, "p.jpg"), pixels, quality=50)
            self.assertEqual(ferry.read_picture(os.path.join(folder, "p.jpg")).shape, pixels.shape)
            with self.assertRaises(ferry.InvalidArgumentError):
                ferry.write_picture(os.path.join(folder, "p.gif"), pixels)
            with self.assertRaises(OSError):
                ferry.write_picture(os.path.join(folder, "no", "p.png"), pixels)
        numpy.testing.assert_array_equal(ferry.read_picture(ferry.encode_picture(pixels)), pixels)
        numpy.testing.assert_array_equal(numpy.asarray(Image.open(io.BytesIO(ferry.encode_picture(pixels)))), pixels)
        self.assertLess(len(ferry.encode_picture(pixels, "jpeg", 10)), len(ferry.encode_picture(pixels, "jpeg", 95)))

    def test_masks_keep_their_indices(self):
        mask = RANDOM.randint(0, 20, (10, 12)).astype(numpy.uint8)
        numpy.testing.assert_array_equal(ferry.read_picture(ferry.encode_picture(mask), form="index"), mask)

    def test_everything_that_is_a_picture_is_taken(self):
        pixels = noise()
        for given in (pixels, Image.fromarray(pixels), pixels[::1, ::1]):
            numpy.testing.assert_array_equal(ferry.pixels_of(given), pixels)
        wide = noise(30, 60)
        crop = wide[3:20, 10:40]
        numpy.testing.assert_array_equal(ferry.read_picture(ferry.encode_picture(crop)), crop)
        flipped = wide[::-1, ::-1]
        numpy.testing.assert_array_equal(ferry.read_picture(ferry.encode_picture(flipped)), flipped)
        palette = Image.fromarray(pixels).convert("P")
        numpy.testing.assert_array_equal(ferry.pixels_of(palette), numpy.asarray(palette.convert("RGB")))
        for bad in (pixels.astype(numpy.float32), pixels[..., :2], numpy.zeros((0, 5, 3), numpy.uint8)):
            with self.assertRaises(ferry.InvalidArgumentError):
                ferry.pixels_of(bad)
        with self.assertRaises(TypeError):
            ferry.pixels_of(None)
        with self.assertRaisesRegex(ferry.FileError, "no/such.jpg"):
            ferry.pixels_of("no/such.jpg")

    def test_resize_has_pillows_numbers(self):
        pixels = noise(40, 50)
        for name, number in (("bilinear", 2), ("nearest", 0), ("bicubic", 3), ("lanczos", 1)):
            expected = numpy.asarray(Image.fromarray(pixels).resize((30, 24), number))
            got = ferry.resize(pixels, (30, 24), name)
            self.assertLessEqual(numpy.abs(got.astype(int) - expected).max(), 1, name)
        box = (4.0, 3.0, 44.0, 35.0)
        expected = numpy.asarray(Image.fromarray(pixels).resize((20, 16), 2, box))
        self.assertLessEqual(numpy.abs(ferry.resize(pixels, (20, 16), box=box).astype(int) - expected).max(), 1)

    def test_sample_lists_draw_as_calibration_does(self):
        folder = os.path.join(case.SOURCE, "examples", "pictures", "calibrate")
        everything = ferry.SampleList(folder)
        drawn, others = ferry.SampleList(folder, 5, seed=3), ferry.SampleList(folder, 5, seed=3, others=True)
        self.assertEqual(len(drawn), 5)
        self.assertEqual(sorted(drawn.paths + others.paths), sorted(everything.paths))
        with tempfile.TemporaryDirectory() as there:
            path = os.path.join(there, "s.npy")
            numpy.save(path, numpy.arange(12, dtype=numpy.float32).reshape(6, 2))
            rows = ferry.SampleList(path, 4, seed=1)
            self.assertEqual(len(rows), 4)
            numpy.testing.assert_array_equal(rows[0], [2 * rows.rows[0], 2 * rows.rows[0] + 1])


class Preprocessing(unittest.TestCase):
    def test_settings_are_the_commands_words(self):
        p = ferry.Preprocess("imagenet", size=(224, 160), mean=[1, 2, 3.5], std=2, color="bgr", resize="letterbox")
        settings = p.settings
        self.assertEqual((settings["size"], settings["mean"], settings["std"], settings["color"], settings["resize"]),
                         ([224, 160], [1, 2, 3.5], [2, 2, 2], "bgr", "letterbox"))
        self.assertEqual(ferry.Preprocess.from_json(p.to_json()), p)
        self.assertEqual(ferry.Preprocess.from_json(settings), p)
        self.assertEqual(pickle.loads(pickle.dumps(p)), p)
        self.assertNotEqual(p.replace(size=8), p)
        self.assertEqual(len({p.hash, p.replace(size=8).hash}), 2)
        self.assertIn("imagenet", ferry.Preprocess.presets())
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "std"):
            ferry.Preprocess(std=0)
        with self.assertRaisesRegex(TypeError, "no setting 'colour'"):
            ferry.Preprocess(colour="bgr")
        with self.assertRaises(ferry.Error):
            ferry.Preprocess("no such preset")

    def test_pixels_become_inputs(self):
        pixels = noise(8, 8)
        array, geometry = ferry.Preprocess(size=8, mean=10, std=4)(pixels)
        numpy.testing.assert_allclose(array, (pixels.transpose(2, 0, 1) - 10.0) / 4, rtol=1e-6)
        self.assertEqual((geometry.width, geometry.channels, geometry.scale_x), (8, 3, 1))
        last, _geometry = ferry.Preprocess(size=8, layout="nhwc", color="bgr")(pixels, numpy.uint8)
        numpy.testing.assert_array_equal(last, pixels[..., ::-1])
        out = numpy.zeros((3, 8, 8), numpy.float16)
        self.assertIs(ferry.Preprocess(size=8)(pixels, numpy.float16, out)[0], out)
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.Preprocess(size=8)(pixels, out=out)
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.Preprocess(size=8)(pixels, numpy.int64)

    def test_coordinates_find_the_way_back(self):
        geometry = ferry.Preprocess(size=32, resize="letterbox").plan(64, 32)
        numpy.testing.assert_allclose(geometry.unmap_points([[0, 8], [32, 24]]), [[0, 0], [64, 32]])
        numpy.testing.assert_allclose(geometry.unmap_boxes([[-5, 0, 16, 99]]), [[0, 0, 32, 32]])
        mask = numpy.zeros((32, 32), numpy.uint8)
        mask[8:24, 16:] = 3
        back = geometry.unmap_mask(mask)
        self.assertEqual(back.shape, (32, 64))
        self.assertTrue((back[:, 32:] == 3).all() and (back[:, :32] == 0).all())


class Results(unittest.TestCase):
    def test_labels(self):
        labels = ferry.Labels(["cat", None, "d\u00f6g"])
        self.assertEqual((labels.names, len(labels), labels[2], labels.get(7)), (["cat", None, "d\u00f6g"], 3,
                                                                                "d\u00f6g", None))
        self.assertEqual(ferry.Labels.parse(labels.to_text()), labels)
        self.assertEqual(pickle.loads(pickle.dumps(labels)), labels)
        self.assertEqual(list(ferry.Labels(["[x", "y"])), ["[x", "y"])
        with self.assertRaises(IndexError):
            labels[3]

    def test_a_classifier(self):
        result = ferry.Decoder("classify")({"y": numpy.array([[0, 5, 1]], numpy.float32)},
                                           labels=ferry.Labels(["a", "b", "c"]), top_k=2)
        self.assertEqual((result.task, [c.label for c in result], [c.index for c in result.classes]),
                         ("classify", ["b", "c"], [1, 2]))
        self.assertEqual(result.to_dict()["classes"][0]["label"], "b")
        self.assertIn("b", str(result))
        self.assertEqual((len(result), result.class_total, result.class_map), (2, 3, None))
        canvas = noise(200, 200)
        before = canvas.copy()
        drawn = result.draw_array(canvas)
        numpy.testing.assert_array_equal(canvas, before)
        self.assertTrue((drawn != canvas).any())
        self.assertIsInstance(result.draw(canvas), Image.Image)
        with self.assertRaisesRegex(ValueError, "which picture"):
            result.draw()

    def test_a_detector(self):
        scores = numpy.zeros((1, 84, 8400), numpy.float32)
        scores[0, :4, 100], scores[0, 4 + 5, 100] = (320, 320, 100, 50), 0.9
        geometry = ferry.Preprocess("yolo", size=640).plan(640, 640)
        decoder, reason = ferry.Decoder.propose({"output0": scores}, (640, 640), 80)
        self.assertEqual(decoder.name, "yolov8")
        self.assertIn("output0", reason)
        self.assertEqual(decoder.check([scores], (640, 640)), 80)
        result = decoder([scores], geometry)
        box = result[0]
        self.assertEqual((len(result), box.index), (1, 5))
        numpy.testing.assert_allclose(box.box, (270, 295, 370, 345))
        self.assertAlmostEqual(box.score, 0.9, places=6)
        self.assertEqual(len(decoder([scores], geometry, score_threshold=0.95)), 0)
        self.assertEqual(result.candidates, (1, 0))
        with self.assertRaisesRegex(ferry.BadDataError, "84"):
            decoder([scores[:, :, :10]], geometry)

    def test_a_segmentation(self):
        scores = numpy.zeros((1, 3, 4, 4), numpy.float32)
        scores[0, 1, :2], scores[0, 2, 2:] = 1, 1
        geometry = ferry.Preprocess(size=4).plan(8, 8)
        result = ferry.Decoder("segment")([scores], geometry, ferry.Labels(["sky", "road", "car"]))
        self.assertEqual(result.class_map.shape, (8, 8))
        self.assertEqual([(c.index, c.score, c.label) for c in result], [(1, 0.5, "road"), (2, 0.5, "car")])
        self.assertEqual(result.mask(1).sum(), 32)
        self.assertTrue((result.draw_array(numpy.zeros((8, 8, 3), numpy.uint8)) > 0).any())

    def test_decoders_are_data(self):
        presets = ferry.Decoder.presets()
        for name, text in presets.items():
            decoder = ferry.Decoder(name)
            self.assertEqual(ferry.Decoder.from_json(text), decoder)
            self.assertEqual(ferry.Decoder.from_json(json.loads(text)), decoder)
            self.assertEqual(pickle.loads(pickle.dumps(decoder)), decoder)
        offset = ferry.Decoder("classify").with_class_offset(1)
        self.assertEqual(offset.class_offset, 1)
        self.assertEqual(offset([numpy.array([[9, 1, 5]], numpy.float32)])[0].index, 1)
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.Decoder("no_such_preset")

    def test_metrics(self):
        decoder = ferry.Decoder("classify")
        first, second = ferry.TopK(), ferry.TopK()
        first.add(decoder([numpy.array([[3, 2, 1]], numpy.float32)]), 0)
        second.add(decoder([numpy.array([[3, 2, 1]], numpy.float32)]), 1)
        total = pickle.loads(pickle.dumps(first)) + second
        self.assertEqual((total.top1, total.top5, total.pictures), (0.5, 1.0, 2))

        ap = ferry.AveragePrecision()
        truth = [ferry.TrueBox((0.0, 0.0, 10.0, 10.0), 1, False)]
        ap.add([ferry.Detection((0.0, 0.0, 10.0, 10.0), 0.9, 1, None)], truth)
        self.assertAlmostEqual(ap.summary().map, 1.0)
        ap.add([], truth)
        self.assertLess(ap.summary().map50, 1.0)
        self.assertEqual((ap.summary().picture_count, ap.of_class(2)), (2, None))

        a, b = ferry.IoU(), ferry.IoU()
        a.add(numpy.array([[0, 1]], numpy.uint8), numpy.array([[0, 1]], numpy.uint8))
        b.add(numpy.array([[0, 1]], numpy.uint8), numpy.array([[0, 0]], numpy.uint8))
        both = pickle.loads(pickle.dumps(a)) + b
        self.assertEqual((both.pixel_accuracy, both.class_count), (0.75, 2))
        self.assertAlmostEqual(both.mean, (2 / 3 + 1 / 2) / 2)

    def test_true_boxes(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "p1.txt"), "w") as file:
                file.write("3 0.5 0.5 0.2 0.4\n")
            truth = ferry.CocoTruth(folder)
            self.assertEqual((len(truth), truth.find("elsewhere/p1.jpg"), truth.find("p2.jpg"), truth.name(0)),
                             (1, 0, None, "p1"))
            box = truth.boxes(0, 100, 50)[0]
            self.assertEqual(box.index, 3)
            numpy.testing.assert_allclose(box.box, (40, 15, 60, 35), rtol=1e-5)
            with self.assertRaises(ferry.InvalidArgumentError):
                truth.boxes(1, 10, 10)


def scores_by_class(result):
    return {c["class"]: c["score"] for c in json.loads(result.to_json())["classes"] if c["score"] > 1e-5}


class Models(unittest.TestCase):
    def model(self, batch=1, **words):
        words.setdefault("task", "classify")
        return ferry.build(case.conv_network(batch), size=8, mean=10, std=50, labels=list("abcdefghij"),
                           progress=False, **words)

    def test_a_model_is_callable_on_pictures_and_arrays(self):
        model = self.model()
        pixels = noise(30, 20)
        array, _geometry = model.preprocess(pixels)
        scores = model(array[None])["scores"]
        result = model(pixels, top_k=3)
        self.assertEqual(result[0].index, scores[0].argmax())
        self.assertEqual(result[0].label, "abcdefghij"[scores[0].argmax()])
        self.assertEqual(len(result), 3)
        self.assertEqual([c.index for c in model(Image.fromarray(pixels), top_k=3)], [c.index for c in result])
        self.assertIsInstance(result.draw(), Image.Image)
        self.assertEqual(model({"x": array[None]})["scores"].shape, (1, 10))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "p.png")
            ferry.write_picture(path, pixels)
            self.assertEqual(model(path).to_json(), model(pixels).to_json())
            result.save(os.path.join(folder, "drawn.jpg"))
            engine = os.path.join(folder, "m.engine")
            model.save(engine)
            with ferry.load(engine) as loaded:
                self.assertEqual(loaded(pixels).to_json(), model(pixels).to_json())
                self.assertEqual((loaded.task, loaded.labels.names, loaded.preprocess), ("classify", list("abcdefghij"),
                                                                                         model.preprocess))

    def test_batches_give_what_single_pictures_give(self):
        pictures = [noise(12 + i, 20) for i in range(7)]
        single, batched = [self.model()(p) for p in pictures], self.model(batch=3)(pictures)
        self.assertEqual(len(batched), len(pictures))
        # Builds may choose other kernels, whose last bits differ: scores next to 0 count for nothing.
        for one, other in zip(map(scores_by_class, single), map(scores_by_class, batched)):
            self.assertEqual(sorted(one), sorted(other))
            for index in one:
                self.assertAlmostEqual(one[index], other[index], delta=1e-6)

    def test_words_may_change_what_the_engine_holds(self):
        engine = self.model().engine
        changed = ferry.load(engine, mean=0, labels=["x"] * 10, class_offset=1)
        self.assertEqual(changed.preprocess.settings["mean"], [0, 0, 0])
        self.assertEqual(changed.preprocess.settings["std"], [50, 50, 50])
        self.assertEqual((changed.labels[0], changed.decoder.class_offset), ("x", 1))
        self.assertEqual(ferry.load(engine, task="raw")(noise())["scores"].shape, (1, 10))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "runtime already"):
            ferry.load(engine, device="cpu")
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "is for detect"):
            ferry.load(engine, task="classify", decoder="yolov8")

    def test_the_words_of_calibration(self):
        folder = os.path.join(case.SOURCE, "examples", "pictures", "calibrate")
        model = self.model(int8=True, calib=folder, calib_count=4, calib_algo="minmax", workspace="1M", ram="64MiB",
                           layer_precision=["scores=fp32"], metadata="k=v=w")
        self.assertIn("int8", model.engine.describe()["summary"]["layers_by_precision"])
        self.assertEqual(model.engine.metadata("k"), "v=w")
        for words, text in (({"calib": folder}, "add int8"), ({"calib_count": 4, "int8": True}, "name the samples"),
                            ({"workspace": "lots"}, "no size"), ({"layer_precision": "x"}, "layer_precision"),
                            ({"shape": "x=1xa"}, "no shape")):
            with self.assertRaisesRegex(ferry.InvalidArgumentError, text):
                self.model(**words)

    def test_a_real_model_knows_its_cat(self):
        path = case.model_path("efficientnet_lite0.onnx")
        pictures = os.path.join(case.SOURCE, "examples", "pictures")
        with tempfile.TemporaryDirectory() as folder:
            engine = os.path.join(folder, "m.engine")
            ferry.build(path, engine, int8=True, calib=os.path.join(pictures, "calibrate"), size="224x224",
                        resize="crop", filter="bicubic", mean=127, std=128, task="classify", progress=False,
                        labels=os.path.join(case.SOURCE, "examples", "labels", "imagenet.txt"))
            model = ferry.load(engine)
            self.assertIn("cat", model(os.path.join(pictures, "run", "cat.jpg"))[0].label)
            self.assertEqual(model(Image.open(os.path.join(pictures, "run", "cup.jpg")))[0].label, "espresso")


if __name__ == "__main__":
    unittest.main()
