# SPDX-License-Identifier: Apache-2.0
"""Memory shared with torch, both ways: bound tensors and DLPack."""
import gc
import os
import unittest

import torch_case

torch_case.ensure_torch(os.path.abspath(__file__))

import numpy  # noqa: E402
import python_case  # noqa: E402
import torch  # noqa: E402

import ferry  # noqa: E402

X = numpy.array([[1, -2, 3, -4]], numpy.float32)


class Exchange(unittest.TestCase):
    def test_bound_tensors_are_used_in_place(self):
        context = python_case.build(python_case.relu_network(), no_fusion=True).create_context()
        x, y = torch.from_numpy(X.copy()), torch.zeros(1, 4)
        context.bind("x", x)
        context.bind("y", y)
        for values in (X, -X):
            x.copy_(torch.from_numpy(values))
            context.enqueue()
            context.stream.wait()
            numpy.testing.assert_array_equal(y.numpy(), numpy.maximum(values, 0))

    def test_dlpack_both_ways(self):
        there = ferry.Runtime("cpu").to_device(X)
        self.assertEqual(torch.from_dlpack(there).data_ptr(), there.address)
        mine = torch.arange(6, dtype=torch.float16).reshape(2, 3)
        self.assertEqual(ferry.from_dlpack(mine).address, mine.data_ptr())
        brain = torch.ones(3, dtype=torch.bfloat16)
        self.assertIs(ferry.from_dlpack(brain).data_type, ferry.DataType.BF16)
        with self.assertRaises(ferry.UnsupportedError):
            ferry.from_dlpack(mine.t())

    def test_shared_memory_outlives_its_maker(self):
        mine = torch.arange(6, dtype=torch.float16)
        ours = ferry.from_dlpack(mine)
        del mine
        gc.collect()
        numpy.testing.assert_array_equal(ours.numpy(), numpy.arange(6))


if __name__ == "__main__":
    unittest.main()
