# SPDX-License-Identifier: Apache-2.0
"""The stand-ins over a device whose memory the host can't see: only copies on streams reach it.

The CPU's runtime says here that its memory is not the host's, so that whatever looks at it without a copy is refused
by the ferry package or takes another way; and addresses that scripts see are checked never to be dereferenced, by
counting the bytes that copies have moved."""
import unittest
from unittest import mock

import compat_case
from compat_case import CompatCase, cuda, np, trt

from ferry.compat import _device


class Device(CompatCase):
    def setUp(self):
        super().setUp()
        ferry = compat_case.ferry
        hidden = mock.patch.object(_device.runtime(), "host_memory", False)
        hidden.start()
        self.addCleanup(hidden.stop)
        self.moved = {ferry.Stream.TO_DEVICE: 0, ferry.Stream.FROM_DEVICE: 0, ferry.Stream.ON_DEVICE: 0}
        copy = ferry.Stream.copy

        def counted(stream, to, source, nbytes=None, kind=ferry.Stream.ON_DEVICE):
            self.moved[kind] += getattr(to, "nbytes", None) or nbytes
            return copy(stream, to, source, nbytes, kind)

        counting = mock.patch.object(ferry.Stream, "copy", counted)
        counting.start()
        self.addCleanup(counting.stop)

    def test_what_only_the_host_can_do_is_refused(self):
        memory = cuda.mem_alloc(16)
        self.assertRaisesRegex(cuda.LogicError, "copy it with memcpy_dtoh", memory.as_buffer, 16)
        array = cuda.pagelocked_empty(4, np.float32)
        if _device.reaches_pinned_memory():  # a GPU
            self.assertEqual(array.base.get_device_pointer(), array.ctypes.data)
            free, total = cuda.mem_get_info()
            self.assertTrue(0 < free <= total)
            return
        self.assertRaisesRegex(cuda.LogicError, "copy it with memcpy_htod", array.base.get_device_pointer)
        self.assertRaisesRegex(cuda.LogicError, "no managed memory", cuda.managed_empty, 4, np.float32)
        self.assertRaises(cuda.Error, cuda.mem_get_info)

    def test_calibrating_building_and_running_move_just_the_data(self):
        kernel = np.random.RandomState(0).randn(4, 3, 3, 3).astype(np.float32)
        samples = [np.random.RandomState(i).randn(1, 3, 8, 8).astype(np.float32) for i in range(3)]

        class Feeder(trt.IInt8EntropyCalibrator2):
            def __init__(self):
                trt.IInt8EntropyCalibrator2.__init__(self)
                self.left, self.memory = list(samples), cuda.mem_alloc(samples[0].nbytes)

            def get_batch_size(self):
                return 1

            def get_batch(self, names):
                if not self.left:
                    return None
                cuda.memcpy_htod(self.memory, self.left.pop(0))
                return [int(self.memory)]

        network = self.network()
        x = network.add_input("x", trt.float32, (1, 3, 8, 8))
        layer = network.add_convolution_nd(x, 4, (3, 3), kernel)
        layer.get_output(0).name = "y"
        network.mark_output(layer.get_output(0))
        config = self.builder.create_builder_config()
        config.set_flag(trt.BuilderFlag.INT8)
        config._set_calibrator(Feeder())
        engine = self.build(network, config)
        data = 3 * 8 * 8 * 4
        self.assertEqual(list(self.moved.values()), [3 * data, 3 * data, 0])

        found = compat_case.run(engine, samples[0])[0]
        self.assertEqual(list(self.moved.values()), [4 * data, 3 * data + found.nbytes, 0])
        import test_layers
        np.testing.assert_allclose(found, test_layers.convolved(samples[0], kernel), atol=0.3)
        self.assertGreater(np.abs(found).max(), 3)

    def test_fills_and_copies_on_the_device(self):
        one, two, host = cuda.mem_alloc(64), cuda.mem_alloc(64), np.empty(64, np.uint8)
        cuda.memset_d8(one, 9, 64)
        cuda.memcpy_dtod(two, one, 64)
        cuda.memcpy_dtoh(host, two)
        self.assertTrue((host == 9).all())
        self.assertEqual(list(self.moved.values()), [64, 64, 64])


if __name__ == "__main__":
    unittest.main()
