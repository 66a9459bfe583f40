# SPDX-License-Identifier: Apache-2.0
"""Arguments of any type to everything public: there may be exceptions, never a crash, a hang or a corrupt object."""
import unittest

import python_case as case

# Runs in a Python of its own: random calls, then the objects must still work. Prints how many calls were made.
CODE = r"""
import faulthandler, inspect, io, os, pathlib, random, resource, signal, sys, tempfile, warnings
import numpy, ferry
from python_case import build, conv_network, relu_network

faulthandler.dump_traceback_later(100, exit=True)
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
os.chdir(tempfile.mkdtemp())

class Odd:
    def __index__(self): raise OverflowError("odd")
    def __array__(self, *a, **k): raise RuntimeError("odd")
    def __len__(self): return -5
    def __fspath__(self): return 7
    @property
    def shape(self): return "shape"

class Liar:
    shape, dtype = (1, 4), numpy.dtype("f4")
    __array_interface__ = {"version": 3, "shape": (9,), "typestr": "<f4", "data": None}

def made():
    engine = build(relu_network())
    net, runtime = conv_network(), ferry.Runtime("cpu")
    result = ferry.Decoder("classify")(numpy.zeros((1, 10), "f"))
    everything = [engine, engine.create_context(threads=1), engine.runtime, runtime, runtime.create_stream(1),
                  runtime.create_event(), runtime.alloc(64), runtime.empty((1, 4)), net, net.nodes[0], net.tensors[0],
                  ferry.Builder(runtime), ferry.BuilderConfig(), ferry.Calibration(), ferry.Calibrator(),
                  ferry.Logger(), ferry.Preprocess(size=8), ferry.Preprocess(size=8).plan(9, 9),
                  ferry.Labels(["a", "b"]), ferry.Decoder("yolov8"), result, ferry.TopK(), ferry.IoU(),
                  ferry.AveragePrecision(), ferry.load(build(relu_network()), task="raw"),
                  ferry.Builder(runtime).observe(relu_network(), progress=False,
                                                 calibration=[numpy.zeros((1, 4), "f")])]
    return everything

def value(depth=0):
    plain = [None, True, 0, -1, 1, 3, 1 << 31, 1 << 63, 1 << 64, -(1 << 70), 0.5, float("nan"), float("inf"), 1j, "",
             "x", "y", "a\0b", "\udc80", "int8", "224x224", b"", b"x", b"\xff\xfe", bytearray(5),
             memoryview(b"abc"), (),
             [], {}, set(), object(), type, print, len, lambda *a: None, lambda *a: 1 / 0, Odd(), Liar(), range(3),
             iter([1]), numpy.zeros((1, 4), "f"), numpy.zeros(0), numpy.array(None), numpy.array(["s"]),
             numpy.zeros((3, 4, 3), "u1"),
             numpy.zeros((2, 2), "c8"), numpy.zeros((1,) * 32), numpy.float32(1), numpy.int64(5), numpy.dtype("f4"),
             numpy.zeros(4, "M8[s]"), pathlib.Path("/no/such"), ferry.DataType.F32, ferry.Severity.INFO, slice(1),
             float, int, Exception("e"), io.BytesIO(b""), numpy.broadcast_to(numpy.float32(0), (1, 4)),
             numpy.zeros((1, 8), "f")[:, ::2], numpy.zeros((1, 4), ">f4"), numpy.ma.masked_array([1, 2])]
    if depth < 2 and rng.random() < 0.25:
        items = [value(depth + 1) for _ in range(rng.randrange(4))]
        return rng.choice([tuple, list, lambda i: {str(k): v for k, v in enumerate(i)},
                           lambda i: {"x": i[0]} if i else {}])(items)
    return rng.choice(objects) if rng.random() < 0.15 else rng.choice(plain)

# What would end or stop the process by its nature, or go through a whole file system.
SKIP = {"write_picture", "breakpoint"}
KEYWORDS = ["out", "name", "outputs", "shape", "dtype", "runtime", "threads", "progress", "calibration", "int8", "size",
            "decoder", "task", "labels", "batch_index", "stream", "top_k", "logger", "layer_precision", "calib", "mean"]

objects = made()
functions = [getattr(ferry, n) for n in ferry.__all__ if n not in SKIP and callable(getattr(ferry, n))]
calls = failures = 0
for i in range(count):
    if i % 400 == 399:
        objects = made()
    if rng.random() < 0.3:
        function = rng.choice(functions)
    else:
        thing = rng.choice(objects)
        names = [n for n in dir(type(thing)) if not n.startswith("__") or n in (
            "__call__", "__getitem__", "__dlpack__", "__array__", "__eq__", "__add__", "__iter__", "__int__")]
        names = [n for n in names if not n.startswith("_") or n.startswith("__")]
        name = rng.choice(names)
        if rng.random() < 0.1:
            try:
                setattr(thing, name, value())
            except Exception:
                pass
            else:
                if name in vars(thing):
                    delattr(thing, name)
            continue
        try:
            function = getattr(thing, name)
        except Exception:
            failures += 1
            continue
    if not callable(function) or function is ferry.Calibrator:
        continue
    arguments = [value() for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 4]))]
    keywords = {k: value() for k in rng.sample(KEYWORDS, rng.choice([0, 0, 0, 1, 2]))}
    owner, method = getattr(function, "__self__", None), getattr(function, "__name__", "")
    # A bare address is the caller's word that there is memory: a wrong one is a wrong program in any language.
    if method in ("bind", "copy", "copy_to_device", "copy_from_device") or function in (ferry.DeviceArray,):
        arguments = [a for a in arguments
                     if not hasattr(a, "__index__") or isinstance(a, (ferry.DeviceMemory, numpy.ndarray))]
        keywords = {}
    calls += 1
    try:
        got = function(*arguments, **keywords)
        if inspect.isgenerator(got):
            list(zip(got, range(3)))
        elif inspect.iscoroutine(got):
            got.close()
    except Exception:
        failures += 1
    except KeyboardInterrupt:
        raise
faulthandler.cancel_dump_traceback_later()
x = numpy.array([[1, -2, 3, -4]], "f")
assert (build(relu_network()).create_context().run(x)["y"] == numpy.maximum(x, 0)).all()
print("calls", calls, "raised", failures)
"""


class Fuzz(unittest.TestCase):
    def test_any_argument_to_anything(self):
        for seed in range(4):
            with self.subTest(seed):
                out, _err = case.run_python(CODE, seed, 2500)
                words = out.strip().split("\n")[-1].split()
                self.assertGreater(int(words[1]), 1000)
                self.assertGreater(int(words[3]), 500)

    def test_the_innermost_values_are_refused_with_a_reason(self):
        """Some of them by hand: a message must name what is wrong."""
        import numpy
        import ferry
        context = case.shared_relu().create_context()
        for call, error, text in (
                (lambda: ferry.Runtime(5), TypeError, "device must be str"),
                (lambda: ferry.Runtime("c\0pu"), ferry.InvalidArgumentError, "NUL"),
                (lambda: ferry.Network(1 << 40), ferry.InvalidArgumentError, "between 0 and"),
                (lambda: context.run(object()), ferry.InvalidArgumentError, "can't be made of a object"),
                (lambda: context.run("text"), ferry.InvalidArgumentError, "can't be made of a str"),
                (lambda: ferry.Engine(), TypeError, "Engine.load"),
                (lambda: ferry.Builder("cpu"), TypeError, "must be a ferry.Runtime"),
                (lambda: ferry.Builder().build("m.onnx"), TypeError, "must be a ferry.Network"),
                (lambda: ferry.BuilderConfig(fp8=True), TypeError, "no option 'fp8'"),
                (lambda: ferry.build("m.onnx", calibre="x"), TypeError, "no option 'calibre'"),
                (lambda: ferry.Labels([1, 2]), TypeError, "labels are strings"),
                (lambda: case.relu_network().add("Relu", "nobody"), KeyError, "no tensor 'nobody'"),
                (lambda: case.relu_network().tensor(99), ferry.InvalidArgumentError, "between 0 and"),
                (lambda: ferry.pixels_of(numpy.zeros((2, 2))), ferry.InvalidArgumentError, "uint8")):
            with self.assertRaisesRegex(error, text):
                call()


if __name__ == "__main__":
    unittest.main()
