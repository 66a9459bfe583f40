#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes ONNX's node test vectors as files.

PyPI's onnx carries them as Python code that computes them; its own generate-data command writes whole models only.
usage: make_vectors.py FOLDER  ->  FOLDER/test_NAME/model.onnx, FOLDER/test_NAME/test_data_set_0/{input,output}_N.pb
"""
import pathlib
import sys

import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case import node


def proto_of(value, info):
    """The protobuf message of a test value; None for kinds that ferry has no tensors for (sequences, maps, optionals)."""
    if isinstance(value, TensorProto):
        return value
    if not info.type.HasField("tensor_type"):
        return None
    return numpy_helper.from_array(value, info.name)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    count = 0
    for case in node.collect_testcases(None):
        folder = root / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for i, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{i}"
            data.mkdir(exist_ok=True)
            for kind, values, infos in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
                for j, value in enumerate(values):
                    proto = proto_of(value, infos[j])
                    if proto is not None:
                        (data / f"{kind}_{j}.pb").write_bytes(proto.SerializeToString())
        count += 1
    print(f"onnx {onnx.__version__}: {count} cases in {root}")


if __name__ == "__main__":
    main()
