# SPDX-License-Identifier: Apache-2.0
"""Each subcommand does what its help says, on a small classifier whose answers are known."""
import html.parser
import json
import os
import unittest

import numpy

from cli_case import CliCase, Image, call, call_json


def spoil_scale(case, tensor, cache):
    """Calibrates, and then has everything of `tensor` beyond 0.0127 clipped, which is all."""
    call("calibrate", case.model, "--calib", case.pictures, "--preprocess", "unit", "-o", cache)
    with open(cache, encoding="utf-8") as f:
        lines = f.read().split("\n")
    with open(cache, "w", encoding="utf-8") as f:
        f.write("\n".join(tensor + ": 38d1b717" if line.startswith(tensor + ":") else line for line in lines))
    os.remove(cache + ".meta")


class Build(CliCase):
    def test_json_counts_layers_and_bytes(self):
        out = call_json("build", self.model, "-o", self.path("b.engine"), "--int8", "--calib", self.pictures,
                        "--preprocess", "unit")
        self.assertEqual(out["engine"], self.path("b.engine"))
        self.assertGreater(out["seconds"], 0)
        self.assertGreater(out["layers_by_precision"]["int8"], 0)
        self.assertEqual(list(out["layers_by_device"]), ["cpu"])
        self.assertEqual(out["bytes"]["file"], os.path.getsize(self.path("b.engine")))
        self.assertGreater(out["bytes"]["weights"], 0)

    def test_output_defaults_to_the_models_name_here(self):
        code, _, err = self.status("build", self.model, cwd=self.pictures)
        self.assertEqual(code, 0, err)
        os.remove(os.path.join(self.pictures, "model.engine"))

    def test_environment_holds_the_cpu_to_an_instruction_set(self):
        words = ["build", self.model, "-o", self.path("isa.engine")]
        code, out, err = self.status(*words, env=dict(os.environ, FERRY_CPU="none"))
        self.assertEqual(code, 0, err)
        self.assertRegex(out + err, r"for cpu/\S+/none\b")
        code, out, err = self.status(*words, env=dict(os.environ, FERRY_CPU="sse9"))
        self.assertEqual(code, 1, out)
        self.assertIn("'sse9' is no instruction set; FERRY_CPU may be none, avx2", err)

    def test_layer_precision_keeps_a_layer_in_float(self):
        words = ["build", self.model, "-o", self.path("l.engine"), "--int8", "--calib", self.pictures, "--preprocess",
                 "unit"]
        every = call_json(*words)["layers_by_precision"]
        fewer = call_json(*words, "--layer-precision", "conv=fp32", "--layer-precision", "act=fp32")
        self.assertLess(fewer["layers_by_precision"].get("int8", 0), every["int8"])

    def test_the_fp16_guard_keeps_what_overflows_and_says_so(self):
        engine = self.path("loud.engine")
        loud = ["--fp16", "--mean", "0", "--std", "0.001", "-o", engine]  # a channel of 255 is 255000 and overflows
        code, out, err = self.status("build", self.model, *loud, "--calib", self.pictures)
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"warning: conv: kept in (fp32|bf16) instead of fp16: '.*', which it \w+, reaches 2\.\d+e\+05")
        self.assertRegex(out, r"FP16 guard: looked at 12 samples, keeps \d+ layers? in a wider type\n")
        shown, _ = call("inspect", engine)
        self.assertRegex(shown, r"Kept out of FP16:\n  (fp32|bf16) +conv +'")
        kept = call_json("inspect", engine)["kept_from_fp16"]
        self.assertEqual(kept[0]["layer"], "conv")
        self.assertIn(kept[0]["precision"], ("fp32", "bf16"))
        self.assertIn("(give it pictures with --calib)", call("build", self.model, *loud)[0])
        code, out, err = self.status("build", self.model, *loud, "--calib", self.pictures, "--no-fp16-guard")
        self.assertEqual((code, "kept in" in err, "FP16 guard" in out), (0, False, False))

    def test_a_plan_that_was_written_is_replayed(self):
        plan = self.path("plan.json")
        call("build", self.model, "-o", self.path("p1.engine"), "--int8", "--calib", self.pictures, "--preprocess",
             "unit", "--write-plan", plan)
        call("build", self.model, "-o", self.path("p2.engine"), "--plan", plan, "--preprocess", "unit", "--write-plan",
             self.path("plan2.json"))
        with open(plan, encoding="utf-8") as f, open(self.path("plan2.json"), encoding="utf-8") as g:
            self.assertEqual(f.read(), g.read())
        outputs = []
        for engine in ("p1.engine", "p2.engine"):
            call("run", self.path(engine), self.picture, "--output", self.path("planned"))
            outputs.append(numpy.load(os.path.join(self.path("planned"), "output.npy")))
        self.assertTrue((outputs[0] == outputs[1]).all())

    def test_max_drop_keeps_in_float_what_costs_accuracy(self):
        words = ["build", self.model, "-o", self.path("d.engine"), "--int8", "--calib-cache", self.path("d.cache"),
                 "--preprocess", "unit"]
        spoil_scale(self, "act", self.path("d.cache"))
        call(*words)
        self.assertLess(call_json("eval", self.path("d.engine"), "--labels-csv", self.labels)["top1"], 0.5)
        out = call_json(*words, "--max-drop", "1", "--metric", "top1", "--labels-csv", self.labels)["accuracy"]
        self.assertEqual((out["metric"], out["fp32"], out["engine"]), ("top-1", 1.0, 1.0))
        self.assertIn("act", out["kept_in_float"])
        self.assertEqual(call_json("eval", self.path("d.engine"), "--labels-csv", self.labels)["top1"], 1.0)

    def test_a_budget_for_timing_is_kept(self):
        _, err = call("build", self.model, "-o", self.path("b.engine"), "--build-seconds", "0.001")
        self.assertRegex(err, r"\d+ of \d+ tactics were timed within 0.001 s; estimates decide about the")
        self.assertEqual(call_json("run", self.path("b.engine"), self.picture)["results"][0]["classes"][0]["class"], 0)
        words = ("build", self.model, "-o", self.path("c.engine"), "--build-seconds")
        code, _, err = self.status(*words, "1", "--no-timing")
        self.assertEqual(code, 2)
        self.assertIn("nothing is timed", err)
        code, _, err = self.status(*words, "0")
        self.assertEqual(code, 2)

    def test_texts_are_stored(self):
        with open(self.path("names.txt"), "w", encoding="utf-8") as f:
            f.write("red\ngreen\nblue\n")
        call("build", self.model, "-o", self.path("t.engine"), "--labels", self.path("names.txt"), "--name", "colours2",
             "--metadata", "made=by=me", "--preprocess", "unit", "--no-winograd", "--int8-symmetric",
             "--tactics", "own", "--tf32")
        texts = call_json("inspect", self.path("t.engine"))["texts"]
        self.assertEqual(texts["name"], "colours2")
        self.assertEqual(texts["metadata:made"], "by=me")
        self.assertEqual(texts["winograd"], "off")
        self.assertEqual((texts["tactics"], texts["tf32"]), ("own", "on"))
        self.assertEqual(texts["labels"].split(), ["red", "green", "blue"])
        self.assertIn("red", call("run", self.path("t.engine"), self.picture)[0].split("\n")[1])


class Run(CliCase):
    def test_says_the_class_of_a_picture(self):
        for i in range(3):
            out = call_json("run", self.engine, os.path.join(self.pictures, "picture%02d.png" % i))
            self.assertEqual(out["results"][0]["classes"][0]["class"], i)

    def test_goes_on_after_a_picture_that_is_none_and_fails_in_the_end(self):
        with open(self.path("text.jpg"), "w", encoding="utf-8") as f:
            f.write("hello")
        code, out, err = self.status("run", self.engine, self.path("text.jpg"), self.picture)
        self.assertEqual(code, 1)
        self.assertIn("text.jpg", err)
        self.assertIn("picture00.png", out)

    def test_draws_pictures_of_one_name_apart(self):
        other = os.path.join(self.folder, "other")
        os.makedirs(other, exist_ok=True)
        Image.open(self.picture).save(os.path.join(other, "picture00.png"))
        call("run", self.engine, self.picture, os.path.join(other, "picture00.png"), "--draw", self.path("drawn"))
        self.assertEqual(sorted(os.listdir(self.path("drawn"))), ["2-picture00.png", "picture00.png"])
        drawn = numpy.asarray(Image.open(os.path.join(self.path("drawn"), "picture00.png")))
        self.assertTrue((drawn != numpy.asarray(Image.open(self.picture))).any())

    def test_raw_tensors_keep_type_and_shape(self):
        numpy.save(self.path("in.npy"), numpy.full((1, 3, 32, 32), 0.5, numpy.float32))
        call("run", self.engine, "--input", "input=" + self.path("in.npy"), "--output", self.path("raw"))
        with open(os.path.join(self.path("raw"), "names.json"), encoding="utf-8") as f:
            names = json.load(f)
        output = numpy.load(os.path.join(self.path("raw"), names["output"]))
        self.assertEqual((output.shape, output.dtype), ((1, 3), numpy.float32))
        numpy.testing.assert_allclose(output.sum(), 1, rtol=1e-5)

    def test_raw_outputs_of_several_pictures_lie_apart(self):
        pictures = [os.path.join(self.pictures, "picture%02d.png" % i) for i in range(2)]
        call("run", self.engine, *pictures, "--task", "raw", "--output", self.path("several"))
        for i in range(2):
            output = numpy.load(os.path.join(self.path("several"), "picture%02d" % i, "output.npy"))
            self.assertEqual(output.argmax(), i)

    def test_a_model_is_built_in_memory(self):
        out = call_json("run", self.model, self.picture, "--preprocess", "unit")
        self.assertEqual(out["results"][0]["classes"][0]["class"], 0)

    def test_threads_do_not_change_outputs(self):
        outputs = []
        for threads in (1, 2):
            call("run", self.engine, self.picture, "--threads", threads, "--output", self.path("threads"))
            outputs.append(numpy.load(os.path.join(self.path("threads"), "output.npy")))
        self.assertTrue((outputs[0] == outputs[1]).all())


class Bench(CliCase):
    def test_has_trtexecs_summary_and_keys(self):
        text = call("bench", self.engine, "--duration", "0", "--warmUp", "0", "--iterations", "5", "--json")[0]
        self.assertIn("=== Performance summary ===", text)
        self.assertIn("Throughput: ", text)
        figures = json.loads(text.strip().split("\n")[-1])
        for key in ("median_ms", "mean_ms", "min_ms", "p90_ms", "p99_ms", "throughput", "load_ms", "first_ms"):
            self.assertGreater(figures[key], 0, key)
        self.assertGreater(figures["rss_peak_mb"], figures["rss_base_mb"])
        self.assertEqual(figures["iterations"], 5)

    def test_takes_a_fraction_of_a_second(self):
        figures = call_json("bench", self.engine, "--duration", "0.01", "--warmUp", "0", "--iterations", "1")
        self.assertGreaterEqual(figures["wall_s"], 0.01)

    def test_streams_share_the_iterations(self):
        figures = call_json("bench", self.engine, "--streams", "3", "--duration", "0", "--iterations", "9")
        self.assertEqual(figures["iterations"], 9)
        self.assertGreaterEqual(call_json("bench", self.engine, "--streams", "2", "--duration", "0.05")["wall_s"], 0.05)

    def test_profile_lists_every_layer(self):
        text = call("bench", self.engine, "--duration", "0", "--iterations", "1", "--dumpProfile")[0]
        layers = call_json("inspect", self.engine)["layers"]
        for layer in layers:
            self.assertIn(layer["name"], text)


class Calibrate(CliCase):
    def cache(self, *options):
        path = self.path("c.cache")
        call("calibrate", self.model, "--calib", self.pictures, "--preprocess", "unit", "-o", path, *options)
        with open(path, encoding="utf-8") as f:
            return f.read()

    def test_writes_a_line_for_each_float_tensor(self):
        lines = self.cache().strip().split("\n")
        self.assertTrue(lines[0].startswith("TRT-8600-"))
        names = {line.rsplit(":", 1)[0] for line in lines[1:]}
        self.assertEqual(names, {"input", "conv", "act", "mean", "flat", "logits", "output"})
        self.assertTrue(os.path.exists(self.path("c.cache.meta")))

    def test_neither_batch_nor_threads_change_a_scale(self):
        first = self.cache("--threads", "1")
        for options in (["--calib-batch", "7"], ["--calib-batch", "64"], ["--threads", "2"]):
            self.assertEqual(self.cache(*options), first, options)

    def test_algorithm_count_seed_and_version_have_their_effect(self):
        base = self.cache("--calib-count", "2")
        self.assertNotEqual(self.cache("--calib-count", "2", "--calib-algo", "percentile:90"), base)
        self.assertGreater(len({self.cache("--calib-count", "2", "--calib-seed", str(seed)) for seed in range(6)}), 1)
        self.assertTrue(self.cache("--cache-version", "10300").startswith("TRT-10300-"))

    def test_build_reads_a_cache_and_leaves_it_as_it_is(self):
        text = self.cache()
        before = os.stat(self.path("c.cache")).st_mtime_ns
        call("build", self.model, "-o", self.path("c.engine"), "--int8", "--calib-cache", self.path("c.cache"),
             "--calib", self.pictures, "--calib-algo", "minmax", "--preprocess", "unit")
        self.assertEqual(os.stat(self.path("c.cache")).st_mtime_ns, before)
        call("build", self.model, "-o", self.path("c.engine"), "--int8", "--calib-cache", self.path("c.cache"),
             "--calib", self.pictures, "--calib-algo", "minmax", "--recalibrate", "--preprocess", "unit")
        with open(self.path("c.cache"), encoding="utf-8") as f:
            self.assertNotEqual(f.read(), text)


class Inspect(CliCase):
    def test_engine_as_text_and_json(self):
        text = call("inspect", self.engine)[0]
        for layer in call_json("inspect", self.engine)["layers"]:
            self.assertIn(layer["name"], text)

    def test_html_is_whole_and_fetches_nothing(self):
        call("inspect", self.engine, "--html", self.path("r.html"))
        with open(self.path("r.html"), encoding="utf-8") as f:
            text = f.read()
        opened = []

        class Balance(html.parser.HTMLParser):
            def handle_starttag(self, tag, attributes):
                if tag in ("table", "tr", "h1", "h2", "body", "html", "div"):
                    opened.append(tag)

            def handle_endtag(self, tag):
                if tag in ("table", "tr", "h1", "h2", "body", "html", "div"):
                    assert opened.pop() == tag, tag

        Balance().feed(text)
        self.assertEqual(opened, [])
        for word in ("http", "<script", "src="):
            self.assertNotIn(word, text)

    def test_counts_multiply_adds_by_precision(self):
        convolution, dense = 32 * 32 * 3 * 27, 9
        self.assertEqual(call_json("inspect", self.engine)["summary"]["macs_by_precision"],
                         {"fp32": convolution + dense})
        mixed = self.path("mixed.engine")
        call("build", self.model, "-o", mixed, "--int8", "--calib", self.pictures, "--preprocess", "unit",
             "--layer-precision", "dense=fp32")
        self.assertEqual(call_json("inspect", mixed)["summary"]["macs_by_precision"],
                         {"int8": convolution, "fp32": dense})

    def test_model_shows_its_own_layers(self):
        layers = call_json("inspect", self.model)["layers"]
        self.assertEqual([op for layer in layers for op in layer["ops"]],
                         ["Conv", "Relu", "GlobalAveragePool", "MatMul", "Softmax"])  # Flatten is a view

    def test_passes_are_those_that_can_be_left_out(self):
        for one in call_json("inspect", "--passes")["passes"]:
            call("build", self.model, "-o", self.path("d.engine"), "--disable-pass", one["name"])


class Compare(CliCase):
    def test_fp32_agrees_and_int8_is_measured(self):
        words = [self.model, self.picture]
        same = call_json("compare", self.engine, *words)["outputs"][0]
        self.assertGreater(same["sqnr_db"], 100)
        call("build", self.model, "-o", self.path("i.engine"), "--int8", "--calib", self.pictures, "--preprocess",
             "unit")
        coarse = call_json("compare", self.path("i.engine"), *words, "--per-layer")
        self.assertLess(coarse["outputs"][0]["sqnr_db"], same["sqnr_db"])
        sqnr = [t["sqnr_db"] for t in coarse["tensors"]]
        self.assertEqual(sqnr, sorted(sqnr))
        self.assertIn("act", [t["name"] for t in coarse["tensors"]])

    def test_names_the_tensor_whose_scale_is_wrong(self):
        spoil_scale(self, "act", self.path("bad.cache"))
        call("build", self.model, "-o", self.path("bad.engine"), "--int8", "--calib-cache", self.path("bad.cache"),
             "--preprocess", "unit")
        out = call_json("compare", self.path("bad.engine"), self.model, self.picture, "--per-layer")
        self.assertEqual(out["losses"][0]["name"], "act")
        act = [t for t in out["tensors"] if t["name"] == "act"][0]
        self.assertLess(act["own_sqnr_db"], 10)
        self.assertGreater(act["own_clipped"], 0.3)

    def test_raw_tensors_serve_too(self):
        numpy.save(self.path("x.npy"), numpy.ones((1, 3, 32, 32), numpy.float32))
        out = call_json("compare", self.engine, self.model, "--input", "input=" + self.path("x.npy"))
        self.assertGreater(out["outputs"][0]["cosine"], 0.999999)


class Eval(CliCase):
    def test_classifier(self):
        out = call_json("eval", self.engine, "--labels-csv", self.labels)
        self.assertEqual((out["top1"], out["top5"], out["pictures"]), (1.0, 1.0, 12))

    def test_class_offset_moves_classes(self):
        out = call_json("eval", self.engine, "--labels-csv", self.labels, "--class-offset", "1")
        self.assertLess(out["top1"], 0.5)

    def test_others_are_exactly_those_that_calibration_does_not_draw(self):
        out = call_json("eval", self.engine, "--labels-csv", self.labels, "--exclude-calib", self.pictures,
                        "--calib-count", "5", "--calib-seed", "1")
        self.assertEqual((out["pictures"], out["excluded"]), (7, 5))

    def test_count_takes_some(self):
        self.assertEqual(call_json("eval", self.engine, "--labels-csv", self.labels, "--count", "4")["pictures"], 4)

    def test_unreadable_pictures_are_counted(self):
        with open(self.path("l.csv"), "w", encoding="utf-8") as f:
            f.write('class_index,file\r\n0,"pictures/picture00.png"\r\n1,pictures/none.png\r\n')
        out = call_json("eval", self.engine, "--labels-csv", self.path("l.csv"))
        self.assertEqual((out["pictures"], out["unreadable"], out["top1"]), (1, 1, 1.0))


class Check(CliCase):
    def test_sound(self):
        out = call_json("check", self.engine)
        self.assertTrue(out["loads"])
        self.assertTrue(all(section["sound"] for section in out["sections"]))

    def test_every_damaged_byte_is_seen(self):
        with open(self.engine, "rb") as f:
            data = bytearray(f.read())
        data[-5] ^= 16
        with open(self.path("flipped.engine"), "wb") as f:
            f.write(data)
        code, out, err = self.status("check", self.path("flipped.engine"))
        self.assertEqual(code, 1)
        self.assertIn("DAMAGED", out)
        code, _, err = self.status("run", self.path("flipped.engine"), self.picture, "--verify")
        self.assertEqual(code, 1, err)


class Devices(CliCase):
    def test_cpu_is_there(self):
        devices = {d["name"]: d for d in call_json("devices")["devices"]}
        self.assertTrue(devices["cpu"]["available"])


if __name__ == "__main__":
    unittest.main()
