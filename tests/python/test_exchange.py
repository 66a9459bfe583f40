# SPDX-License-Identifier: Apache-2.0
"""Memory shared with other libraries: the same address on both sides, alive for as long as either needs it."""
import gc
import unittest
import weakref

import numpy

import python_case as case
import ferry

X = numpy.array([[1, -2, 3, -4]], numpy.float32)
Y = numpy.array([[1, 0, 3, 0]], numpy.float32)
HAS_DLPACK = hasattr(numpy, "from_dlpack")


def address(array):
    return array.__array_interface__["data"][0]


class Numpy(unittest.TestCase):
    def setUp(self):
        self.runtime = ferry.Runtime("cpu")

    def test_asarray_is_a_view(self):
        there = self.runtime.to_device(X)
        seen = numpy.asarray(there)
        self.assertEqual(address(seen), there.address)
        seen[0, 0] = 5
        self.assertEqual(there.numpy()[0, 0], 5)
        self.assertNotEqual(address(there.numpy()), there.address)
        self.assertEqual(numpy.asarray(there, numpy.float64).dtype, numpy.float64)

    def test_memory_lives_as_long_as_a_view(self):
        there = self.runtime.to_device(numpy.arange(100000))
        seen = numpy.asarray(there)[10:20]
        del there
        gc.collect()
        again = [self.runtime.to_device(numpy.zeros(100000, int)) for _i in range(5)]
        numpy.testing.assert_array_equal(seen, numpy.arange(10, 20))
        del again

    def test_every_type_goes_both_ways(self):
        for data_type in ferry.DataType:
            if data_type is ferry.DataType.NONE:
                continue
            there = self.runtime.empty((2, 3), data_type)
            self.assertEqual((there.data_type, there.nbytes), (data_type, 6 * data_type.bytes))
            host = numpy.arange(6).reshape(2, 3).astype(data_type.numpy)
            there.copy_from(host)
            numpy.testing.assert_array_equal(numpy.asarray(there), host)
            if data_type != ferry.DataType.BF16:
                self.assertIs(ferry.DataType.of(data_type.numpy), data_type)
            self.assertIs(ferry.DataType.of(data_type.onnx), data_type)

    def test_pinned_arrays_are_arrays(self):
        for dtype in (numpy.float32, numpy.uint8, numpy.int64):
            pinned = self.runtime.pinned_empty((3, 4), dtype)
            self.assertEqual((pinned.shape, pinned.dtype), ((3, 4), dtype))
            self.assertTrue(pinned.flags.c_contiguous and pinned.flags.writeable)
            pinned[:] = 3
            view = pinned[1:]
            del pinned
            gc.collect()
            self.assertTrue((view == 3).all())

    def test_what_does_not_fit_is_refused(self):
        there = self.runtime.empty((2, 2))
        for bad in (numpy.zeros(5, numpy.float32), numpy.zeros((2, 2))):
            with self.assertRaises(ferry.InvalidArgumentError):
                there.copy_from(bad)
        with self.assertRaises(ferry.InvalidArgumentError):
            there.reshape(3)
        with self.assertRaises(ferry.InvalidArgumentError):
            self.runtime.alloc(8).array((3,), numpy.float32)
        with self.assertRaises(ferry.InvalidArgumentError):
            self.runtime.empty((-1, 2))
        with self.assertRaises(TypeError):
            self.runtime.empty((2,), "complex64")
        with self.assertRaises((MemoryError, ferry.InvalidArgumentError)):
            self.runtime.alloc(1 << 62)


class DeviceBinding(unittest.TestCase):
    """An inference between the caller's blocks of device memory, on the best device there is."""

    def setUp(self):
        self.engine = case.build(case.relu_network())
        self.context = self.engine.create_context()

    def check(self, x, y, fill, read):
        self.context.bind("x", x)
        self.context.bind("y", y)
        self.context.enqueue()
        self.context.stream.wait()
        numpy.testing.assert_array_equal(read(), Y)
        fill(-X)
        self.context.enqueue()
        self.context.stream.wait()
        numpy.testing.assert_array_equal(read(), numpy.maximum(-X, 0))

    def test_device_arrays(self):
        x, y = self.engine.runtime.to_device(X), self.engine.runtime.empty((1, 4))
        self.check(x, y, x.copy_from, y.numpy)

    def test_blocks_and_addresses(self):
        runtime = self.engine.runtime
        x, y = runtime.alloc(16), runtime.alloc(16)
        fill = x.array((1, 4), numpy.float32).copy_from
        fill(X)
        self.check(x, y.address, fill, y.array((1, 4), numpy.float32).numpy)

    def test_an_unbound_output_is_named(self):
        self.context.bind("x", self.engine.runtime.to_device(X))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "'y', has no address"):
            self.context.enqueue()


class Binding(DeviceBinding):
    """The same on the CPU, where arrays of the caller's are read and written in place."""

    def setUp(self):
        self.builder = ferry.Builder(ferry.Runtime("cpu"))
        self.engine = self.builder.build(case.relu_network(), progress=False)
        self.context = self.engine.create_context()

    def test_numpy_arrays(self):
        x, y = X.copy(), numpy.zeros((1, 4), numpy.float32)
        self.check(x, y, lambda new: numpy.copyto(x, new), lambda: y)

    def test_the_host_call_uses_the_callers_memory_too(self):
        context = self.builder.build(case.relu_network(), no_fusion=True, progress=False).create_context()
        out = numpy.zeros((1, 4), numpy.float32)
        self.assertEqual(address(context.run(X, out=out)["y"]), address(out))
        there = self.engine.runtime.to_device(X)
        numpy.testing.assert_array_equal(context.run(there)["y"], Y)

    def test_bound_arrays_are_kept_and_let_go(self):
        class Array(numpy.ndarray):
            """Has weak references in every numpy."""

        x = X.copy().view(Array)
        gone = weakref.ref(x)
        self.context.bind("x", x)
        del x
        gc.collect()
        self.assertIsNotNone(gone())
        self.context.bind("x", X)
        gc.collect()
        self.assertIsNone(gone())

    def test_what_does_not_fit_is_refused(self):
        readonly = numpy.zeros((1, 4), numpy.float32)
        readonly.flags.writeable = False
        for which, value in (("y", numpy.zeros((1, 3), numpy.float32)), ("y", numpy.zeros((1, 4))), ("y", readonly),
                             ("x", X.astype(numpy.float64)), ("x", self.engine.runtime.alloc(4)),
                             ("x", numpy.zeros((1, 8), numpy.float32)[:, ::2]), ("x", 0), ("x", -1)):
            with self.assertRaises(ferry.InvalidArgumentError):
                self.context.bind(which, value)
        for value in (None, "text", b"bytes", 1.5, object()):
            with self.assertRaises(TypeError):
                self.context.bind("x", value)

    def test_cuda_memory_is_refused_by_a_cpu_runtime(self):
        class Cuda:
            __cuda_array_interface__ = {"shape": (1, 4), "typestr": "<f4", "data": (4096, False), "version": 3}

        for use in (lambda: self.context.bind("x", Cuda()), lambda: self.context.run(Cuda()),
                    lambda: self.engine.runtime.as_device_array(Cuda())):
            with self.assertRaisesRegex(ferry.UnavailableError, "lies in CUDA memory.*device is cpu"):
                use()
        self.assertFalse(hasattr(self.engine.runtime.empty((1,)), "__cuda_array_interface__"))


class DLPack(unittest.TestCase):
    def setUp(self):
        self.runtime = ferry.Runtime("cpu")

    def test_ours_through_ours(self):
        for data_type in ferry.DataType:
            if data_type is ferry.DataType.NONE:
                continue
            there = self.runtime.empty((2, 3, 4), data_type)
            back = ferry.from_dlpack(there)
            self.assertEqual((back.address, back.shape, back.data_type), (there.address, there.shape, data_type))
        scalar = self.runtime.empty((), numpy.float32)
        self.assertEqual(ferry.from_dlpack(scalar).shape, ())
        self.assertEqual(there.__dlpack_device__(), (1, 0))

    def test_a_capsule_is_taken_once_and_owns_its_memory(self):
        there = self.runtime.to_device(numpy.arange(1000))
        gone = weakref.ref(there)
        capsule = there.__dlpack__()
        del there
        gc.collect()
        self.assertIsNotNone(gone())
        back = ferry.from_dlpack(capsule)
        with self.assertRaisesRegex(TypeError, "taken already"):
            ferry.from_dlpack(capsule)
        del capsule
        gc.collect()
        numpy.testing.assert_array_equal(back.numpy(), numpy.arange(1000))
        del back
        gc.collect()
        self.assertIsNone(gone())

    def test_a_capsule_that_nobody_takes_lets_go(self):
        for version in (None, (1, 0)):
            there = self.runtime.empty((4,))
            gone = weakref.ref(there)
            capsule = there.__dlpack__(max_version=version)
            del there, capsule
            gc.collect()
            self.assertIsNone(gone())

    def test_what_is_asked_for_and_cannot_be_is_an_error(self):
        there = self.runtime.empty((4,))
        with self.assertRaises(BufferError):
            there.__dlpack__(dl_device=(2, 0))
        with self.assertRaises(BufferError):
            there.__dlpack__(stream=7)
        copied = ferry.from_dlpack(there.__dlpack__(copy=True))
        self.assertNotEqual(copied.address, there.address)
        for bad in (object(), 3, None, "x"):
            with self.assertRaises(TypeError):
                ferry.from_dlpack(bad)

    @unittest.skipUnless(HAS_DLPACK, "this numpy has no from_dlpack")
    def test_with_numpy(self):
        there = self.runtime.to_device(X)
        seen = numpy.from_dlpack(there)
        self.assertEqual(address(seen), there.address)
        host = numpy.arange(12, dtype=numpy.int16).reshape(3, 4)
        ours = ferry.from_dlpack(host)
        self.assertEqual((ours.address, ours.shape, ours.dtype), (address(host), (3, 4), numpy.int16))
        with self.assertRaises(ferry.UnsupportedError):
            ferry.from_dlpack(host[:, ::2])
        with self.assertRaises(ferry.UnsupportedError):
            ferry.from_dlpack(host.astype(numpy.complex64))

    @unittest.skipUnless(HAS_DLPACK, "this numpy has no from_dlpack")
    def test_what_may_only_be_read_is_not_written(self):
        host = numpy.zeros((1, 4), numpy.float32)
        host.flags.writeable = False
        try:
            ours = ferry.from_dlpack(host)
        except BufferError:  # numpy before 2.1 has no way to say so and refuses
            return
        self.assertTrue(ours.read_only)
        with self.assertRaises(ferry.InvalidArgumentError):
            ours.copy_from(X)
        with self.assertRaises(ferry.InvalidArgumentError):
            case.shared_relu().create_context().bind("y", ours)
        with self.assertRaises(BufferError):
            ours.__dlpack__()
        self.assertFalse(numpy.from_dlpack(ours).flags.writeable)


if __name__ == "__main__":
    unittest.main()
