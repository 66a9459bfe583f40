# SPDX-License-Identifier: Apache-2.0
"""Compares reading, resizing and preprocessing with Pillow and NumPy, on pictures made here at random (fixed seed)."""
import os
import json
import math
import random
import struct
import subprocess
import tempfile
import unittest
import zlib

try:
    import numpy as np
    import PIL
    from PIL import Image
except ImportError:
    np = None

FILTERS = {} if np is None else {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC,
                                 "lanczos": Image.LANCZOS, "box": Image.BOX, "hamming": Image.HAMMING}
BUILD = os.environ.get("FERRY_BUILD_DIR", "build")
DATA = os.environ.get("FERRY_TEST_DATA", "")


class Server:
    """vision_test_picture in its serving mode."""

    def __init__(self):
        emulator = os.environ.get("FERRY_COMMAND", "").split()[:-1]
        program = os.path.join(BUILD, "tests", "vision_test_picture")
        self.process = subprocess.Popen(emulator + [program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.folder = tempfile.TemporaryDirectory()

    def ask(self, command, path, *more):
        out = os.path.join(self.folder.name, "out.raw")
        self.process.stdin.write("\t".join([command, path, out] + [str(m) for m in more]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise ValueError(" ".join(answer[1:]) if answer else "the server ended")
        return answer[1:], out

    def picture(self, command, path, *more):
        answer, out = self.ask(command, path, *more)
        w, h, c = map(int, answer)
        return np.fromfile(out, np.uint8).reshape(h, w, c)

    def save(self, image, name, **options):
        path = os.path.join(self.folder.name, name)
        if isinstance(image, bytes):
            with open(path, "wb") as f:
                f.write(image)
        else:
            image.save(path, **options)
        return path

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


def resize(image, size, kind, box=None):
    """Image.resize of Pillow 13, also with an older one: the rule for the order of the passes came with 13."""
    lost_width, lost_height = image.size[0] - size[0], image.size[1] - size[1]
    down_first = lost_height > 0 and lost_height > 2 * lost_width
    if int(PIL.__version__.split(".")[0]) >= 13 or not down_first or kind == Image.NEAREST:
        return image.resize(size, kind, box=box)
    left, top, right, bottom = box or (0, 0) + image.size
    image = image.resize((image.size[0], size[1]), kind, box=(0, top, image.size[0], bottom))
    return image.resize(size, kind, box=(left, 0, right, size[1]))


def noisy(width, height, bands, seed):
    """Smooth shapes with noise: both low and high frequencies, and saturated places."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(bands):
        fx, fy, phase = rng.uniform(0.01, 0.4, 3)
        planes.append(127.5 + 200 * np.sin(x * fx + y * fy + 20 * phase) + rng.normal(0, 25, (height, width)))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


@unittest.skipIf(np is None, "needs NumPy and Pillow")
class PillowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def same(self, ours, theirs, what, most=0):
        theirs = np.asarray(theirs)
        theirs = theirs.reshape(theirs.shape[0], theirs.shape[1], -1)
        self.assertEqual(ours.shape, theirs.shape, what)
        difference = int(np.abs(ours.astype(int) - theirs.astype(int)).max())
        self.assertLessEqual(difference, most, what)

    def test_resize__equals_pillow(self):
        rng = random.Random(1)
        for case in range(120):
            w, h = rng.randint(1, 300), rng.randint(1, 300)
            pixels = noisy(w, h, 3, case)
            image = Image.fromarray(pixels if case % 3 else pixels[:, :, 0])
            path = self.server.save(image, "in.png")
            image = image.convert("RGB")
            size = (rng.randint(1, 400), rng.randint(1, 400))
            if case % 10 == 0:
                size = (size[0], h)
            box = (0, 0, w, h)
            if case % 2:
                left, top = rng.uniform(0, w - 0.6), rng.uniform(0, h - 0.6)
                box = (left, top, rng.uniform(left + 0.5, w), rng.uniform(top + 0.5, h))
                box = tuple(float(np.float32(v)) for v in box)
            for name, number in FILTERS.items():
                theirs = np.asarray(resize(image, size, number, box))
                ours = self.server.picture("resize", path, *[repr(b) for b in box], *size, name)
                self.same(ours, theirs, "%s %dx%d box %s to %s" % (name, w, h, box, size))

    def read(self, image, name, most=0, **options):
        path = self.server.save(image, name, **options)
        self.same(self.server.picture("read", path), Image.open(path).convert("RGB"), name + str(options), most)

    def test_jpeg__all_kinds_read_like_pillow(self):
        rgb = Image.fromarray(noisy(157, 93, 3, 5))
        for progressive in (False, True):
            for subsampling in (0, 1, 2):
                for quality in (30, 90):
                    self.read(rgb, "rgb.jpg", quality=quality, subsampling=subsampling, progressive=progressive)
        self.read(rgb.convert("L"), "grey.jpg")
        self.read(rgb.convert("CMYK"), "cmyk.jpg", quality=90)
        self.read(Image.fromarray(noisy(1, 1, 3, 6)), "one.jpg")
        self.read(Image.fromarray(noisy(3, 40, 3, 6)), "narrow.jpg", quality=75)

    def test_png__all_kinds_read_like_pillow(self):
        for w, h in ((37, 21), (1, 1), (8, 3)):
            rgba = Image.fromarray(noisy(w, h, 4, w))
            rgb, grey = rgba.convert("RGB"), rgba.convert("L")
            self.read(rgba, "rgba.png")
            self.read(rgb, "rgb.png")
            self.read(grey, "grey.png")
            self.read(rgba.convert("LA"), "la.png")
            self.read(rgb.quantize(200), "palette.png")
            for bits in (1, 2, 4):
                self.read(rgb.quantize(1 << bits), "palette%d.png" % bits, bits=bits)
            self.read(rgb.quantize(30), "transparent.png", transparency=3)
            self.read(grey, "transparent_grey.png", transparency=100)
            self.read(rgb, "transparent_rgb.png", transparency=(1, 2, 3))
            self.read(grey.convert("1"), "bits.png")

    @staticmethod
    def raw_png(width, height, depth, color_type, rows, interlace=0, more=b""):
        def chunk(name, data):
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        head = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
        data = chunk(b"IDAT", zlib.compress(rows))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + data + chunk(b"IEND", b"")

    def test_png__keeps_the_high_byte_of_16_bits(self):
        samples = np.random.RandomState(3).randint(0, 65536, (9, 11, 4)).astype(">u2")
        for color_type, bands in ((0, 1), (2, 3), (4, 2), (6, 4)):
            rows = b"".join(b"\0" + samples[y, :, :bands].tobytes() for y in range(9))
            path = self.server.save(self.raw_png(11, 9, 16, color_type, rows), "deep.png")
            high = (samples[:, :, :bands] >> 8).astype(np.uint8)
            expected = np.repeat(high[:, :, :1], 3, 2) if bands < 3 else high[:, :, :3]
            self.same(self.server.picture("read", path), expected, "16 bits, colour type %d" % color_type)
            if bands > 1:
                self.same(self.server.picture("read", path), Image.open(path).convert("RGB"), "like Pillow")

    def test_png__low_depth_grey_is_scaled_and_indices_are_not(self):
        for depth in (1, 2, 4, 8):
            values = np.random.RandomState(depth).randint(0, 1 << depth, (5, 13))
            rows = b""
            for row in values:
                bits = "".join(format(v, "0%db" % depth) for v in row)
                bits += "0" * (-len(bits) % 8)
                rows += b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
            path = self.server.save(self.raw_png(13, 5, depth, 0, rows), "low.png")
            self.same(self.server.picture("read", path), Image.open(path).convert("RGB"), "grey of %d bits" % depth)
            self.same(self.server.picture("index", path), values.astype(np.uint8), "indices of %d bits" % depth)
        image = Image.fromarray(noisy(30, 20, 3, 9)).quantize(40)
        path = self.server.save(image, "p.png")
        self.same(self.server.picture("index", path), np.asarray(image), "palette indices")

    def test_truncated__is_refused(self):
        image = Image.fromarray(noisy(60, 50, 3, 1))
        for name, options in (("a.jpg", {}), ("b.jpg", {"progressive": True}), ("c.png", {})):
            with open(self.server.save(image, name, **options), "rb") as f:
                whole = f.read()
            for length in list(range(0, len(whole) - 13, 97)):
                path = self.server.save(whole[:length], name)
                with self.assertRaises(ValueError, msg="%s cut at %d of %d" % (name, length, len(whole))):
                    self.server.picture("read", path)

    def preprocess(self, image, settings):
        path = self.server.save(image, "in.png")
        answer, out = self.server.ask("preprocess", path, json.dumps(settings))
        w, h, c = map(int, answer[:3])
        data = np.fromfile(out, np.float32)
        return data.reshape(h, w, c) if settings.get("layout") == "nhwc" else data.reshape(c, h, w).transpose(1, 2, 0)

    @staticmethod
    def expected(image, settings):
        """The definitions of torchvision and Ultralytics, written with Pillow and NumPy; output [H,W,C], float64."""
        W, H = settings["size"]
        mode, color = settings["resize"], settings.get("color", "rgb")
        top_left = settings.get("align") == "topleft"
        down = settings.get("rounding") == "down"
        whole = {"down": math.floor, "up": math.ceil}.get(settings.get("rounding"), round)
        side = lambda v: max(1, whole(v))
        pad = np.asarray(settings.get("pad", [114] * 3), float)
        mean, std = np.asarray(settings.get("mean", [0] * 3), float), np.asarray(settings.get("std", [1] * 3), float)
        kind = FILTERS[settings.get("filter", "bilinear")]
        image = image.convert("L" if color == "gray" else "RGB")
        if color == "gray":
            pad, mean, std = pad[:1], mean[:1], std[:1]
        w, h = image.size
        x = y = 0
        if mode == "stretch":
            image = resize(image, (W, H), kind)
        elif mode == "letterbox":
            r = min(H / h, W / w)
            nw, nh = (W, min(H, side(h * r))) if W / w < H / h else (min(W, side(w * r)), H)
            image = resize(image, (nw, nh), kind)
            if not top_left:
                x, y = round((W - nw) / 2 - 0.1), round((H - nh) / 2 - 0.1)
        elif mode == "crop":
            n = settings["resize_shorter"]
            nw, nh = (n, side(n * h / w)) if w <= h else (side(n * w / h), n)
            image = resize(image, (nw, nh), kind)
            if not top_left:
                half = (lambda v: int(round(v / 2.0))) if down else (lambda v: v // 2)
                x = (W - nw) // 2 if W > nw else -half(nw - W)
                y = (H - nh) // 2 if H > nh else -half(nh - H)
        else:
            nw = side(w * H / h)
            W = W or nw
            image = resize(image, (min(nw, W), H), kind)
        pixels = np.asarray(image).reshape(image.size[1], image.size[0], -1).astype(float)
        canvas = np.tile(pad, (H, W, 1))
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + image.size[0], W), min(y + image.size[1], H)
        canvas[y0:y1, x0:x1] = pixels[y0 - y:y1 - y, x0 - x:x1 - x]
        canvas = (canvas - mean) / std
        return canvas[:, :, ::-1] if color == "bgr" else canvas

    def test_preprocess__follows_the_definitions(self):
        rng = random.Random(7)
        for case in range(150):
            image = Image.fromarray(noisy(rng.randint(5, 250), rng.randint(5, 250), 3, case))
            mode = ("stretch", "letterbox", "crop", "keep_ratio_height")[case % 4]
            settings = {"size": [rng.randint(8, 160), rng.randint(8, 160)], "resize": mode,
                        "align": rng.choice(["center", "topleft"]), "rounding": rng.choice(["nearest", "down", "up"]),
                        "color": rng.choice(["rgb", "bgr", "gray"]), "layout": rng.choice(["nchw", "nhwc"]),
                        "filter": rng.choice(list(FILTERS)),
                        "pad": rng.choice([[114] * 3, [127.5] * 3, [1, 2.25, 3]]),
                        "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
            if mode == "crop":
                settings["resize_shorter"] = rng.randint(8, 200)
            if mode == "keep_ratio_height" and case % 8 == 3:
                settings["size"][0] = 0
            ours = self.preprocess(image, settings)
            theirs = self.expected(image, settings).astype(np.float32)
            self.assertEqual(ours.shape, theirs.shape, settings)
            np.testing.assert_array_equal(ours, theirs, str((image.size, settings)))

    def test_preprocess__gives_the_inputs_that_the_reference_runs_used(self):
        if not os.path.isdir(os.path.join(DATA, "reference")):
            self.skipTest("FERRY_TEST_DATA is absent")
        imagenet = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
        tf = {"mean": 127.5, "std": 127.5}
        crop = {"size": [224, 224], "resize": "crop", "resize_shorter": 256}
        smaller = {"size": [192, 192], "resize": "crop", "resize_shorter": 220}
        cases = [
            ("squeezenet1.1_fp32", "chelsea.png", {**crop, "color": "bgr", "mean": [123, 117, 104]}),
            ("mobilenet_v1_0.25_224", "chelsea.png", {**crop, **tf}),
            ("mobilenet_v1_0.75_192_fp32", "chelsea.png", {**smaller, **tf}),
            ("yolox_nano", "bus.jpg", {"preset": "yolox", "size": [416, 416]}),
            ("nanodet_m_416", "bus.jpg", {"preset": "nanodet", "size": [416, 416], **imagenet}),
            ("fastestdet_352", "bus.jpg", {"preset": "unit", "size": [352, 352], "color": "bgr"}),
            ("ultraface_rfb_320", "zidane.jpg", {"preset": "ssd", "size": [320, 240]}),
            ("deeplabv3_mnv2_dm05_513", "bus.jpg", {"size": [513, 513], "resize": "letterbox", "align": "topleft",
                                                    "pad": 127.5, **tf}),
        ]
        for model, picture, settings in cases:
            theirs = np.load(os.path.join(DATA, "reference", model, "input.npy"))[0]
            answer, out = self.server.ask("preprocess", os.path.join(DATA, "pictures", picture), json.dumps(settings))
            ours = np.fromfile(out, np.float32).reshape(theirs.shape)
            # One grey level, in the units of this input.
            std = settings.get("std", {"unit": 255, "ssd": 128}.get(settings.get("preset"), 1))
            level = 1.0 / min(np.atleast_1d(std))
            difference = np.abs(ours - theirs)
            with self.subTest(model):
                self.assertLessEqual(float(difference.max()), level * 1.01, "mean %g" % difference.mean())
