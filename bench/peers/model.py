# SPDX-License-Identifier: Apache-2.0
"""What every engine is told about a model: its file, its one input, and how pictures become that input."""
import glob
import json
import os


class Skip(Exception):
    """An engine can't do what is asked; the text says why, and goes into the report."""


class Model:
    """A model with one float input of fixed shape [1, 3, H, W]."""

    def __init__(self, path, mean, std, calibration):
        import onnx

        graph = onnx.load(path, load_external_data=False).graph
        constants = {i.name for i in graph.initializer}
        inputs = [i for i in graph.input if i.name not in constants]
        self.path = os.path.abspath(path)
        self.name = os.path.splitext(os.path.basename(path))[0]
        if len(inputs) != 1:
            raise Skip("%s has %d inputs; models of one input are measured" % (self.name, len(inputs)))
        self.input = inputs[0].name
        self.shape = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
        if len(self.shape) != 4 or self.shape[:2] != [1, 3] or min(self.shape) < 1:
            raise Skip("%s: its input is %s, not [1, 3, H, W]" % (self.name, self.shape))
        operators = [n.op_type for n in graph.node]
        self.is_transformer = operators.count("MatMul") > operators.count("Conv")
        self.mean, self.std = mean, std
        self.calibration = os.path.abspath(calibration) if calibration else None

    @classmethod
    def from_json(cls, text):
        model = cls.__new__(cls)
        model.__dict__.update(json.loads(text))
        return model

    def to_json(self):
        return json.dumps(self.__dict__)

    def pictures(self):
        if not self.calibration:
            raise Skip("INT8 needs pictures: --calib")
        return sorted(p for e in ("png", "jpg", "jpeg") for p in glob.glob(os.path.join(self.calibration, "*." + e)))

    def samples(self, paths):
        """The pictures as the model wants them, one after the other: float32 [n, 3, H, W]."""
        return as_inputs(paths, self.shape[3], self.shape[2], self.mean, self.std)


def as_inputs(paths, width, height, mean, std):
    """The pictures as RGB, stretched to the size and normalised: float32 [n, 3, height, width]."""
    import numpy
    from PIL import Image

    arrays = []
    for path in paths:
        picture = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
        array = (numpy.asarray(picture, numpy.float32) - numpy.float32(mean)) / numpy.float32(std)
        arrays.append(array.transpose(2, 0, 1))
    return numpy.ascontiguousarray(numpy.stack(arrays))


def settings_beside(path):
    """What models.json in the model's folder says about the model ({"mean": [..], "std": [..], "pictures": folder});
    {} without one."""
    listed = os.path.join(os.path.dirname(os.path.abspath(path)), "models.json")
    if not os.path.exists(listed):
        return {}
    with open(listed) as f:
        return json.load(f).get(os.path.splitext(os.path.basename(path))[0], {})
