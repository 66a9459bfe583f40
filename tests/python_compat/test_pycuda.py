# SPDX-License-Identifier: Apache-2.0
"""pycuda's and cudart's memory, copies, streams and events."""
import ctypes
import gc
import threading
import unittest
import warnings

from compat_case import cuda, np, python_case

from cuda import cudart

import pycuda.autoinit
import pycuda.tools


class Memory(unittest.TestCase):
    def test_copies_there_and_back(self):
        source = np.arange(12, dtype=np.float32).reshape(3, 4)
        memory = cuda.mem_alloc(source.nbytes)
        cuda.memcpy_htod(memory, source)
        for target in (np.empty((3, 4), np.float32), np.empty((3, 4), np.float32, order="F"), bytearray(source.nbytes)):
            cuda.memcpy_dtoh(target, int(memory))
            found = np.frombuffer(target, np.float32) if isinstance(target, bytearray) else target.ravel("K")
            np.testing.assert_array_equal(found, source.ravel())
        np.testing.assert_array_equal(cuda.from_device(cuda.to_device(source), (3, 4), np.float32), source)

    def test_an_address_within_an_allocation_is_one_too(self):
        memory = cuda.mem_alloc(64)
        cuda.memset_d8(memory, 7, 64)
        cuda.memcpy_htod(int(memory) + 32, np.full(32, 9, np.uint8))
        target = np.empty(64, np.uint8)
        cuda.memcpy_dtoh(target, memory)
        self.assertEqual(target.tolist(), [7] * 32 + [9] * 32)
        cuda.memcpy_dtod(memory, memory + 32, 16)
        cuda.memset_d32(memory + 32, 1, 2)
        cuda.memcpy_dtoh(target, memory)
        self.assertEqual(target[:16].tolist(), [9] * 16)
        self.assertEqual(target[32:40].tolist(), [1, 0, 0, 0] * 2)

    def test_a_copy_past_the_end_is_refused_with_both_sizes(self):
        memory = cuda.mem_alloc(64)
        with self.assertRaisesRegex(cuda.LogicError, "68 bytes.* has 64 left"):
            cuda.memcpy_htod(memory, np.zeros(17, np.float32))
        with self.assertRaisesRegex(cuda.LogicError, "64 bytes.* has 32 left"):
            cuda.memcpy_dtoh(np.zeros(16, np.float32), int(memory) + 32)

    def test_sizes_that_are_none(self):
        for size in (0, -4):
            with self.assertRaisesRegex(cuda.LogicError, "invalid value"):
                cuda.mem_alloc(size)
        self.assertRaises(TypeError, cuda.mem_alloc, 4.0)
        self.assertEqual(cuda.mem_alloc(np.int64(4))._memory.nbytes, 4)
        with self.assertRaisesRegex(ValueError, "negative dimensions"):
            cuda.pagelocked_empty(-150528, np.float32)
        with self.assertRaises(cuda.MemoryError):
            cuda.mem_alloc(1 << 60)

    def test_buffers_that_can_not_be_copied(self):
        memory = cuda.mem_alloc(64)
        with self.assertRaisesRegex(ValueError, "not contiguous"):
            cuda.memcpy_htod(memory, np.zeros((4, 4), np.float32)[:, ::2])
        self.assertRaises(TypeError, cuda.memcpy_dtoh, bytes(16), memory)

    def test_freed_memory_is_not_used(self):
        memory = cuda.mem_alloc(16)
        memory.free()
        self.assertRaises(cuda.LogicError, memory.free)
        self.assertRaises(cuda.LogicError, int, memory)

    def test_memory_dropped_while_copies_are_queued(self):
        stream = cuda.Stream()
        for _ in range(200):
            memory, host = cuda.mem_alloc(1 << 16), cuda.pagelocked_zeros(1 << 16, np.uint8)
            cuda.memcpy_htod_async(memory, host, stream)
            cuda.memcpy_dtoh_async(host, memory, stream)
            del memory, host
        gc.collect()
        stream.synchronize()

    def test_pagelocked_arrays(self):
        array = cuda.pagelocked_empty((2, 3), np.int16, order="F")
        self.assertTrue(array.flags.f_contiguous)
        self.assertIsInstance(array.base, cuda.PagelockedHostAllocation)
        self.assertEqual(array.base.get_device_pointer(), array.ctypes.data)
        array[...] = [[1, 2, 3], [4, 5, 6]]
        self.assertEqual(array.tolist(), [[1, 2, 3], [4, 5, 6]])
        self.assertEqual(cuda.pagelocked_zeros_like(array).strides, array.strides)
        self.assertEqual(cuda.pagelocked_empty(np.int64(5), np.float32).shape, (5,))
        self.assertEqual(cuda.pagelocked_empty(3, np.bool_).dtype, np.bool_)
        self.assertEqual(cuda.aligned_empty((3, 5), np.float32).ctypes.data % 4096, 0)
        self.assertEqual(cuda.managed_zeros(4, np.int32).tolist(), [0] * 4)

    def test_how_much_there_is(self):
        free, total = cuda.mem_get_info()
        self.assertTrue(0 < free <= total)
        self.assertEqual(cuda.Device(0).total_memory(), total)


class Order(unittest.TestCase):
    def test_the_null_stream_waits_for_all_others_and_they_for_it(self):
        stream, memory, found = cuda.Stream(), cuda.mem_alloc(1 << 20), np.empty(1 << 20, np.uint8)
        gate = threading.Event()
        stream._stream.call(lambda: gate.wait(10))
        cuda.memcpy_htod_async(memory, np.full(1 << 20, 3, np.uint8), stream)
        self.assertFalse(stream.is_done())
        threading.Timer(0.05, gate.set).start()
        cuda.memcpy_dtoh(found, memory)  # without a stream.synchronize() before
        self.assertTrue((found == 3).all())
        self.assertTrue(stream.is_done())

        gate.clear()
        from ferry.compat import _device
        _device.stream_of(0).call(lambda: gate.wait(10))
        cuda.memcpy_htod_async(memory, np.full(1 << 20, 4, np.uint8))
        cuda.memcpy_dtoh_async(found, memory, stream)
        threading.Timer(0.05, gate.set).start()
        stream.synchronize()
        self.assertTrue((found == 4).all())

    def test_events(self):
        stream, one, two = cuda.Stream(), cuda.Event(), cuda.Event()
        with self.assertRaisesRegex(cuda.LogicError, "never recorded"):
            two.time_since(one)
        one.record(stream)
        stream._stream.call(lambda: threading.Event().wait(0.02))
        two.record(stream)
        other = cuda.Stream()
        other.wait_for_event(two)
        other.synchronize()
        self.assertTrue(two.synchronize().query())
        self.assertGreaterEqual(two.time_since(one), 19)
        self.assertEqual(two.time_since(one), one.time_till(two))

    def test_failures_of_what_was_queued_come_out_of_synchronize(self):
        stream = cuda.Stream()

        def fails():
            raise KeyError("queued")

        stream._stream.call(fails)
        self.assertRaises(KeyError, stream.synchronize)
        stream.synchronize()


class Contexts(unittest.TestCase):
    def test_autoinit_has_a_context_and_a_device(self):
        self.assertIs(cuda.Context.get_current(), pycuda.autoinit.context)
        self.assertEqual(pycuda.autoinit.device, cuda.Device(0))
        self.assertTrue(pycuda.autoinit.device.name())

    def test_threads_push_and_pop_their_own(self):
        found = []

        def work():
            context = cuda.Device(0).make_context()
            found.append(cuda.Context.get_current() is context)
            context.pop()
            try:
                context.pop()
            except cuda.LogicError as error:
                found.append(str(error))
            context.push()
            context.detach()
            found.append(cuda.Context.get_current())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(found[0], True)
        self.assertIn("this thread has no context", found[1])
        self.assertIsNone(found[2])

    def test_what_a_cpu_is_not(self):
        if not python_case.ferry.default_runtime().host_memory:
            self.skipTest("the device is no CPU")
        self.assertRaisesRegex(cuda.LogicError, "compute capability", cuda.Device(0).compute_capability)
        self.assertRaisesRegex(cuda.LogicError, "no device 1", cuda.Device, 1)

    def test_errors_are_of_pycudas_classes(self):
        self.assertTrue(issubclass(cuda.LogicError, cuda.Error) and issubclass(cuda.MemoryError, cuda.Error))
        self.assertEqual(pycuda.tools.dtype_to_ctype(np.float32), "float")

    def test_a_process_exits_while_work_is_queued(self):
        python_case.run_python(
            "import ferry.compat.install, pycuda.autoinit, pycuda.driver as cuda, numpy\n"
            "s, m = cuda.Stream(), cuda.mem_alloc(1 << 24)\n"
            "for i in range(50): cuda.memcpy_htod_async(m, numpy.zeros(1 << 24, numpy.uint8), s)")


class Cudart(unittest.TestCase):
    ok = cudart.cudaError_t.cudaSuccess

    def value(self, result):
        self.assertEqual(result[0], self.ok)
        return result[1] if len(result) == 2 else result[1:]

    def test_memory_streams_and_events_as_tuples(self):
        kinds = cudart.cudaMemcpyKind
        device, host = self.value(cudart.cudaMalloc(64)), self.value(cudart.cudaMallocHost(64))
        stream, event = self.value(cudart.cudaStreamCreate()), self.value(cudart.cudaEventCreate())
        array = np.ctypeslib.as_array(ctypes.cast(host, ctypes.POINTER(ctypes.c_uint8)), (64,))
        array[:] = range(64)
        self.value(cudart.cudaMemcpyAsync(device, host, 64, kinds.cudaMemcpyHostToDevice, stream))
        self.value(cudart.cudaEventRecord(event, stream))
        found = np.zeros(64, np.uint8)
        self.value(cudart.cudaMemcpyAsync(found, device, 64, kinds.cudaMemcpyDeviceToHost, stream))
        self.value(cudart.cudaStreamSynchronize(stream))
        self.assertEqual(found.tolist(), list(range(64)))
        self.assertEqual(cudart.cudaEventQuery(event), (self.ok,))
        self.value(cudart.cudaMemset(device, 5, 32))
        self.value(cudart.cudaMemcpy(found, device, 64, kinds.cudaMemcpyDefault))
        self.assertEqual(found.tolist(), [5] * 32 + list(range(32, 64)))
        for result in (cudart.cudaFree(device), cudart.cudaFreeHost(host), cudart.cudaStreamDestroy(stream),
                       cudart.cudaEventDestroy(event), cudart.cudaFree(0)):
            self.assertEqual(result, (self.ok,))

    def test_errors_are_codes_whose_text_is_the_reason(self):
        for result in (cudart.cudaFree(12345), cudart.cudaStreamSynchronize(777), cudart.cudaEventRecord(99)):
            self.assertEqual(result, (cudart.cudaError_t.cudaErrorInvalidValue,))
        text = cudart.cudaGetErrorString(cudart.cudaError_t.cudaErrorInvalidValue)[1]
        self.assertIn(b"no event that was made here", text)
        self.assertEqual(cudart.cudaMalloc(1 << 60), (cudart.cudaError_t.cudaErrorMemoryAllocation, None))
        device = self.value(cudart.cudaMalloc(16))
        copied = cudart.cudaMemcpy(device, np.zeros(3, np.uint8), 16, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice)
        self.assertEqual(copied, (cudart.cudaError_t.cudaErrorInvalidValue,))
        self.value(cudart.cudaFree(device))
        self.assertEqual(cudart.cudaSetDevice(3), (cudart.cudaError_t.cudaErrorInvalidDevice,))

    def test_libcudart_through_ctypes(self):
        lib = ctypes.CDLL("libcudart.so")
        pointer, stream = ctypes.c_void_p(), ctypes.c_void_p()
        self.assertEqual(lib.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(8)), 0)
        self.assertEqual(lib.cudaStreamCreate(ctypes.byref(stream)), 0)
        source, target = (ctypes.c_double * 1)(2.5), (ctypes.c_double * 1)()
        address = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_void_p(ctypes.addressof(target))
        size = ctypes.c_size_t(8)
        self.assertEqual(lib.cudaMemcpyAsync(pointer, address[0], size, ctypes.c_int(1), stream), 0)
        self.assertEqual(lib.cudaMemcpyAsync(address[1], pointer, size, ctypes.c_int(2), stream), 0)
        self.assertEqual(lib.cudaStreamSynchronize(stream), 0)
        self.assertEqual(target[0], 2.5)
        self.assertEqual(lib.cudaFree(pointer), 0)
        self.assertEqual(lib.cudaFree(pointer), 1)
        self.assertEqual(lib.cudaStreamDestroy(stream), 0)
        with self.assertRaisesRegex(AttributeError, "cudaLaunchKernel is not offered"):
            lib.cudaLaunchKernel
        self.assertIsNotNone(ctypes.CDLL(None).strlen)

    def test_the_newer_place(self):
        from cuda.bindings import driver, runtime
        self.assertIs(runtime, cudart)
        self.assertEqual(driver.CUresult.CUDA_SUCCESS, 0)


warnings.simplefilter("error")

if __name__ == "__main__":
    unittest.main()
