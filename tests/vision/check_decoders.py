#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs real networks with ONNX Runtime, hands their outputs to ferry's decoders, and compares the accuracy.

Pictures are prepared by Pillow here, so that only decoding, suppression and metrics are ferry's. The figures were
measured by other programs. Usage: check_decoders.py --data FOLDER --replay PROGRAM [--keep FOLDER] [MODEL...]
"""
import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image

TOLERANCE = 0.002


def plain(picture, width, height):
    return picture.resize((width, height), Image.BILINEAR), (width, height), (0, 0)


def letterbox(picture, width, height, pad, centred):
    scale = min(width / picture.width, height / picture.height)
    w, h = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    x, y = ((width - w) // 2, (height - h) // 2) if centred else (0, 0)
    canvas = Image.new("RGB", (width, height), (pad, pad, pad))
    canvas.paste(picture.resize((w, h), Image.BILINEAR), (x, y))
    return canvas, (w, h), (x, y)


def crop(picture, width, height, shorter):
    scale = shorter / min(picture.width, picture.height)
    w, h = round(picture.width * scale), round(picture.height * scale)
    x, y = (w - width) // 2, (h - height) // 2
    resized = picture.resize((w, h), Image.BILINEAR).crop((x, y, x + width, y + height))
    return resized, (w, h), (-x, -y)


def chw(picture, mean=(0, 0, 0), std=(1, 1, 1), bgr=False):
    """mean and std in the order in which the network gets the channels."""
    pixels = np.asarray(picture, np.float32)
    if bgr:
        pixels = pixels[:, :, ::-1]
    pixels = (pixels - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def yolox(picture):
    fitted = letterbox(picture, 416, 416, 114, False)
    return (chw(fitted[0], bgr=True),) + fitted[1:]


def nanodet(picture):
    fitted = letterbox(picture, 416, 416, 0, True)
    return (chw(fitted[0], (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), True),) + fitted[1:]


def fastestdet(picture):
    fitted = plain(picture, 352, 352)
    return (chw(fitted[0], std=(255, 255, 255), bgr=True),) + fitted[1:]


def ultraface(picture):
    fitted = plain(picture, 320, 240)
    return (chw(fitted[0], (127, 127, 127), (128, 128, 128)),) + fitted[1:]


def mobilenet(size, shorter):
    def prepare(picture):
        fitted = crop(picture, size, size, shorter)
        return (chw(fitted[0], (127.5,) * 3, (127.5,) * 3),) + fitted[1:]
    return prepare


def deeplab(picture):
    """The padding is 127.5, which is 0 after scaling: it is put in there."""
    scale = 513 / max(picture.width, picture.height)
    w, h = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    tensor = np.zeros((1, 3, 513, 513), np.float32)
    tensor[:, :, :h, :w] = chw(picture.resize((w, h), Image.BILINEAR), (127.5,) * 3, (127.5,) * 3)
    return tensor, (w, h), (0, 0)


class Case:
    def __init__(self, file, decoder, prepare, pictures, expected, options=None, class_offset=None):
        self.file, self.decoder, self.prepare, self.pictures = file, decoder, prepare, pictures
        self.expected, self.options, self.class_offset = expected, options or {}, class_offset


CASES = {
    "yolox": Case("yolox_nano.onnx", "yolox", yolox, "coco", {"map50": 0.5262}),
    "nanodet": Case("nanodet_m_416.onnx", "nanodet", nanodet, "coco", {"map50": 0.4555}),
    "fastestdet": Case("fastestdet_352.onnx", "fastestdet", fastestdet, "coco", {"map50": 0.3965}),
    "deeplab": Case("deeplabv3_mnv2_dm05_513.onnx", "segment", deeplab, "masks", {"miou": 0.5083, "pixels": 0.9001}),
    "mobilenet": Case("mobilenet_v1_0.75_192_fp32.onnx", "classify", mobilenet(192, 220), "imagenet",
                      {"top1": 0.8280, "top5": 0.9520}, class_offset=1),
    "ultraface": Case("ultraface_rfb_320.onnx", "ultraface", ultraface, "faces", {}, {"score": 0.7, "nms": 0.3}),
}
FACES = {"zidane.jpg": [(924, 106, 1053, 281, 1.00), (545, 251, 655, 433, 0.91)],
         "astronaut.png": [(180, 62, 268, 174, 1.00)], "bus.jpg": [(0, 0, 0, 0, 0.99), (0, 0, 0, 0, 0.92)]}


def list_pictures(data, kind):
    """Yields path and what is true of the picture."""
    if kind == "coco":
        folder = os.path.join(data, "coco/images/val2017")
        return [(os.path.join(folder, f), None) for f in sorted(os.listdir(folder))]
    if kind == "masks":
        folder = os.path.join(data, "coco/voc-masks/val2017")
        return [(os.path.join(data, "coco/images/val2017", f[:-4] + ".jpg"), os.path.join(folder, f))
                for f in sorted(os.listdir(folder))]
    if kind == "faces":
        return [(os.path.join(data, "pictures", f), None) for f in FACES]
    with open(os.path.join(data, "imagenet/labels.csv"), newline="") as f:
        return [(os.path.join(data, "imagenet", row["file"]), int(row["class_index"])) for row in csv.DictReader(f)]


def write_job(case, data, folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.path.join(data, "models", case.file), options,
                                           providers=["CPUExecutionProvider"])
    job = {"decoder": case.decoder, "outputs": [o.name for o in session.get_outputs()], "options": case.options,
           "pictures": []}
    if case.pictures == "coco":
        job["labels"] = os.path.join(data, "coco/labels/val2017")
    if case.class_offset is not None:
        job["class_offset"] = case.class_offset
    for number, (path, truth) in enumerate(list_pictures(data, case.pictures)):
        picture = Image.open(path).convert("RGB")
        tensor, resized, offset = case.prepare(picture)
        files = []
        for i, output in enumerate(session.run(None, {session.get_inputs()[0].name: tensor})):
            files.append(os.path.join(folder, f"{number}.{i}.npy"))
            np.save(files[-1], output)
        entry = {"name": os.path.basename(path), "source": [picture.width, picture.height],
                 "input": [tensor.shape[3], tensor.shape[2]], "resized": resized, "offset": offset, "files": files}
        if case.pictures == "masks":
            entry["mask"] = os.path.join(folder, f"{number}.mask.npy")
            np.save(entry["mask"], np.asarray(Image.open(truth), np.uint8))
        elif truth is not None:
            entry["class"] = truth
        job["pictures"].append(entry)
    with open(os.path.join(folder, "job.json"), "w") as f:
        json.dump(job, f)
    return os.path.join(folder, "job.json")


def check_faces(lines):
    bad = 0
    for (name, faces), line in zip(FACES.items(), lines):
        found = json.loads(line)["detections"]
        same = len(found) == len(faces)
        for detection, face in zip(found, faces):
            same = same and abs(detection["score"] - face[4]) < 0.006
            if any(face[:4]):
                same = same and all(abs(a - b) < 1 for a, b in zip(detection["box"], face))
        print(f"  {name}: {'as expected' if same else 'NOT as expected: ' + line}")
        bad += not same
    return bad


def check(name, data, replay, folder):
    case = CASES[name]
    command = shlex.split(replay) + [write_job(case, data, folder)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    lines = result.stdout.splitlines()
    if case.pictures == "faces":
        print(name)
        return check_faces(lines)
    figures, bad = json.loads(lines[-1]), 0
    for key, expected in case.expected.items():
        good = abs(figures[key] - expected) <= TOLERANCE
        print(f"{name}: {key} {figures[key]:.4f}, expected {expected:.4f}{'' if good else '  DIFFERENT'}")
        bad += not good
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--replay", required=True, help="the command that decodes; an emulator may stand before it")
    parser.add_argument("--keep", help="write the outputs here and leave them")
    parser.add_argument("models", nargs="*", help=", ".join(CASES))
    args = parser.parse_args()
    bad = 0
    for name in args.models or CASES:
        if args.keep:
            os.makedirs(os.path.join(args.keep, name), exist_ok=True)
            bad += check(name, args.data, args.replay, os.path.join(args.keep, name))
        else:
            with tempfile.TemporaryDirectory() as folder:
                bad += check(name, args.data, args.replay, folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
