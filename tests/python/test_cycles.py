# SPDX-License-Identifier: Apache-2.0
"""Ten thousand times: build, load, run, drop. Memory must not grow, nor the number of threads and open files."""
import os
import unittest

import python_case as case

CODE = r"""
import gc, os, sys, threading, time, numpy, ferry
from python_case import relu_network

def resident_kb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

def tasks():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

x = numpy.array([[1, -2, 3, -4]], numpy.float32)
y = numpy.maximum(x, 0)
runtime = ferry.Runtime("cpu")
builder = ferry.Builder(runtime)
samples = [x]

def cycle(i):
    options = {"int8": True, "calibration": samples} if i % 10 == 0 else {}
    engine = builder.build(relu_network(), progress=False, threads=1, **options)
    if i % 5 == 0:
        engine = ferry.Engine.deserialize(engine.serialize(), ferry.Runtime("cpu"))
    context = engine.create_context(threads=1)
    got = context.run(x)["y"]
    assert abs(got - y).max() < 0.1
    if i % 7 == 0:
        device = engine.runtime.to_device(x)
        context.bind("x", ferry.from_dlpack(device, engine.runtime))
        context.bind("y", engine.runtime.empty((1, 4)))
        context.enqueue()
        context.set_observer(lambda *a: None)
        try:
            context.run(x.astype("f8"))
        except ferry.Error:
            pass

count = int(sys.argv[1])
for i in range(count // 10):
    cycle(i)
gc.collect()
before, threads_before = resident_kb(), tasks()
begun = time.time()
for i in range(count):
    cycle(i)
gc.collect()
print(resident_kb() - before, "KiB more;", threads_before, tasks(), "in %.1f s" % (time.time() - begun))
assert resident_kb() - before < 4096, "memory grew by %d KiB" % (resident_kb() - before)
assert tasks() == threads_before, (threads_before, tasks())
"""


@unittest.skipUnless(os.path.exists("/proc/self/statm"), "no /proc here")
class Cycles(unittest.TestCase):
    def test_ten_thousand_cycles_leave_nothing(self):
        print(case.run_python(CODE, 10000, timeout=500)[0].strip())


if __name__ == "__main__":
    unittest.main()
