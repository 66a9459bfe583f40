# SPDX-License-Identifier: Apache-2.0
"""Each kind of layer, added as scripts add it, against numpy."""
import unittest
import warnings

from compat_case import CompatCase, np, run, trt

RANDOM = np.random.RandomState(3)


def floats(*shape):
    return RANDOM.uniform(-2, 2, shape).astype(np.float32)


def convolved(x, w, stride=1, pad=0, dilation=1, groups=1):
    """A 2-D convolution, in double."""
    n, _channels, h, wide = x.shape
    out_maps, per_group, kh, kw = w.shape
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    oh = (h + 2 * pad - dilation * (kh - 1) - 1) // stride + 1
    ow = (wide + 2 * pad - dilation * (kw - 1) - 1) // stride + 1
    out = np.zeros((n, out_maps, oh, ow))
    maps = out_maps // groups
    for o in range(out_maps):
        first = o // maps * per_group
        for c in range(per_group):
            for y in range(kh):
                for z in range(kw):
                    part = x[:, first + c, y * dilation:y * dilation + stride * oh:stride,
                             z * dilation:z * dilation + stride * ow:stride]
                    out[:, o] += part[:, :oh, :ow] * w[o, c, y, z]
    return out


class Layers(CompatCase):
    def check(self, add, inputs, expected, tolerance=1e-4):
        """add(network, *tensors) returns a layer or layers, whose first outputs are compared."""
        inputs = [np.asarray(i) for i in inputs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            network = self.network()
            tensors = [network.add_input("in%d" % i, trt.DataType.of(a.dtype), a.shape) for i, a in enumerate(inputs)]
            made = add(network, *tensors)
        outputs = made if isinstance(made, list) else [made.get_output(0)]
        expected = expected if isinstance(expected, list) else [expected]
        for tensor, wanted in zip(outputs, expected):
            self.assertEqual(tensor.shape, tuple(np.shape(wanted)))
            network.mark_output(tensor)
        found = run(self.build(network), *inputs)
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a.astype(np.float64), np.asarray(b, np.float64), rtol=tolerance, atol=tolerance)
        return network

    def test_convolution_with_stride_padding_dilation_groups_and_bias_set_afterwards(self):
        x, w, b = floats(2, 4, 9, 9), floats(6, 2, 3, 3), floats(6)

        def add(network, tensor):
            layer = network.add_convolution_nd(tensor, 6, (3, 3), w, b)
            layer.stride_nd, layer.padding_nd, layer.dilation_nd, layer.num_groups = (2, 2), (2, 2), (2, 2), 2
            return layer

        self.check(add, [x], convolved(x, w, 2, 2, 2, 2) + b[None, :, None, None])

    def test_a_convolutions_weights_without_a_bias_and_by_old_names(self):
        x, w = floats(1, 3, 8, 8), floats(5, 3, 3, 3)

        def add(network, tensor):
            layer = network.add_convolution(input=tensor, num_output_maps=5, kernel_shape=(3, 3), kernel=trt.Weights(w),
                                            bias=trt.Weights())
            layer.padding = (1, 1)
            layer.name = "first"
            self.assertEqual((layer.stride_nd, layer.pre_padding, layer.dilation_nd), ((1, 1), (1, 1), (1, 1)))
            return layer

        self.check(add, [x], convolved(x, w, pad=1))

    def test_convolution_with_the_padding_of_frameworks_that_say_same(self):
        x, w = floats(1, 3, 8, 8), floats(5, 3, 3, 3)

        def add(network, tensor):
            layer = network.add_convolution_nd(tensor, 5, (3, 3), w)
            layer.padding_mode = trt.PaddingMode.SAME_UPPER
            return layer

        self.check(add, [x], convolved(x, w, pad=1))

    def test_deconvolution(self):
        x, w = floats(1, 3, 4, 4), floats(3, 2, 2, 2)
        expected = np.zeros((1, 2, 8, 8))
        for y in range(4):
            for z in range(4):
                expected[:, :, 2 * y:2 * y + 2, 2 * z:2 * z + 2] += np.einsum("nc,cokl->nokl", x[:, :, y, z], w)

        def add(network, tensor):
            layer = network.add_deconvolution_nd(tensor, 2, (2, 2), w)
            layer.stride_nd = (2, 2)
            return layer

        self.check(add, [x], expected)

    def test_pooling(self):
        x = floats(1, 2, 4, 6)
        tiles = x.reshape(1, 2, 2, 2, 3, 2)

        def add(kind, **fields):
            def adding(network, tensor):
                layer = network.add_pooling_nd(tensor, kind, (2, 2))
                for name, value in fields.items():
                    setattr(layer, name, value)
                return layer
            return adding

        self.check(add(trt.PoolingType.MAX, stride_nd=(2, 2)), [x], tiles.max(axis=(3, 5)))
        self.check(add(trt.PoolingType.AVERAGE, stride_nd=(2, 2)), [x], tiles.mean(axis=(3, 5)))
        windows = np.maximum(x[:, :, :-1], x[:, :, 1:])
        windows = np.maximum(windows[..., :-1], windows[..., 1:])
        self.check(add(trt.PoolingType.MAX), [x], windows)  # its stride is 1 unless set

    def test_average_pooling_counts_padding_only_where_told(self):
        x = np.ones((1, 1, 2, 2), np.float32)
        for excludes, corner in ((True, 1.0), (False, 0.25)):
            def add(network, tensor):
                layer = network.add_pooling_nd(tensor, trt.PoolingType.AVERAGE, (2, 2))
                layer.padding_nd, layer.average_count_excludes_padding = (1, 1), excludes
                return layer
            expected = np.ones((1, 1, 3, 3))
            if not excludes:
                expected[...] = [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
            self.assertEqual(expected[0, 0, 0, 0], corner)
            self.check(add, [x], expected)

    def test_pooling_rounds_up_where_told(self):
        x = floats(1, 1, 5, 5)

        def add(network, tensor):
            layer = network.add_pooling_nd(tensor, trt.PoolingType.MAX, (2, 2))
            layer.stride_nd, layer.padding_mode = (2, 2), trt.PaddingMode.EXPLICIT_ROUND_UP
            return layer

        padded = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), "constant", constant_values=-9)
        self.check(add, [x], padded.reshape(1, 1, 3, 2, 3, 2).max(axis=(3, 5)))

    def test_activations(self):
        x = floats(3, 7)
        kinds = trt.ActivationType
        sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
        cases = {kinds.RELU: np.maximum(x, 0), kinds.SIGMOID: sigmoid, kinds.TANH: np.tanh(x),
                 kinds.LEAKY_RELU: np.where(x < 0, 0.5 * x, x), kinds.ELU: np.where(x < 0, 0.5 * np.expm1(x), x),
                 kinds.SOFTSIGN: x / (1 + np.abs(x)), kinds.CLIP: np.clip(x, 0.5, 1.5),
                 kinds.SOFTPLUS: 0.5 * np.log1p(np.exp(1.5 * x)), kinds.SCALED_TANH: 0.5 * np.tanh(1.5 * x),
                 kinds.HARD_SIGMOID: np.clip(0.5 * x + 1.5, 0, 1), kinds.THRESHOLDED_RELU: np.where(x > 0.5, x, 0),
                 kinds.SELU: 1.5 * np.where(x < 0, 0.5 * np.expm1(x), x)}
        for kind, expected in cases.items():
            with self.subTest(kind=str(kind)):
                def add(network, tensor):
                    layer = network.add_activation(tensor, kind)
                    self.assertEqual(layer.type, kind)
                    layer.alpha, layer.beta = 0.5, 1.5
                    return layer
                network = self.check(add, [x], expected)
                self.assertEqual(network.get_layer(0).type, trt.LayerType.ACTIVATION)

    def test_elementwise_arithmetic(self):
        a, b = floats(2, 3), floats(1, 3) + 3
        ops = trt.ElementWiseOperation
        for op, expected in {ops.SUM: a + b, ops.PROD: a * b, ops.MAX: np.maximum(a, b), ops.MIN: np.minimum(a, b),
                             ops.SUB: a - b, ops.DIV: a / b, ops.FLOOR_DIV: np.floor(a / b),
                             ops.GREATER: a > b, ops.LESS: a < b, ops.EQUAL: a == b}.items():
            with self.subTest(op=str(op)):
                self.check(lambda net, x, y: net.add_elementwise(x, y, op), [a, b], expected)
        self.check(lambda net, x, y: net.add_elementwise(x, y, ops.POW), [np.abs(a), b], np.abs(a) ** b)
        whole = np.array([[-7, 7, -6]], np.int32), np.array([[2, -2, 3]], np.int32)
        self.check(lambda net, x, y: net.add_elementwise(x, y, ops.FLOOR_DIV), whole, whole[0] // whole[1])

    def test_unary_functions(self):
        x = floats(2, 5)
        positive, unit = np.abs(x) + 1.1, np.clip(x / 3, -0.9, 0.9)
        ops = trt.UnaryOperation
        for op, value, function in ((ops.EXP, x, np.exp), (ops.LOG, positive, np.log), (ops.SQRT, positive, np.sqrt),
                                    (ops.RECIP, positive, np.reciprocal), (ops.ABS, x, np.abs),
                                    (ops.NEG, x, np.negative), (ops.SIN, x, np.sin), (ops.COS, x, np.cos),
                                    (ops.TAN, unit, np.tan), (ops.SINH, x, np.sinh), (ops.COSH, x, np.cosh),
                                    (ops.ASIN, unit, np.arcsin), (ops.ACOS, unit, np.arccos),
                                    (ops.ATAN, x, np.arctan), (ops.ASINH, x, np.arcsinh),
                                    (ops.ACOSH, positive, np.arccosh), (ops.ATANH, unit, np.arctanh),
                                    (ops.CEIL, x, np.ceil), (ops.FLOOR, x, np.floor), (ops.SIGN, x, np.sign),
                                    (ops.ROUND, x, np.round)):
            with self.subTest(op=str(op)):
                self.check(lambda net, t: net.add_unary(t, op), [value], function(value.astype(np.float64)))

    def test_matrix_products(self):
        none, turned, vector = (trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE, trt.MatrixOperation.VECTOR)
        a, b = floats(2, 3, 4), floats(2, 5, 4)
        self.check(lambda net, x, y: net.add_matrix_multiply(x, none, y, turned), [a, b], a @ b.transpose(0, 2, 1))
        self.check(lambda net, x, y: net.add_matrix_multiply(x, turned, y, turned), [floats(4, 3) * 0 + 1, b[0]],
                   np.ones((3, 4)) @ b[0].T)
        v = floats(4)
        self.check(lambda net, x, y: net.add_matrix_multiply(x, none, y, vector), [a[0], v], a[0] @ v)
        self.check(lambda net, x, y: net.add_matrix_multiply(x, vector, y, turned), [v, b[0]], v @ b[0].T)

    def test_fully_connected(self):
        x, w, b = floats(2, 3, 2, 2), floats(5, 12), floats(5)
        self.check(lambda net, t: net.add_fully_connected(t, 5, w, b), [x],
                   (x.reshape(2, 12) @ w.T + b).reshape(2, 5, 1, 1), 1e-3)

    def test_scales_in_three_modes(self):
        x, modes = np.abs(floats(2, 3, 2, 2)) + 1, trt.ScaleMode
        s, t = np.abs(floats(3)) + 1, np.abs(floats(3))
        along = (1, 3, 1, 1)
        self.check(lambda net, i: net.add_scale(i, modes.CHANNEL, t, s, np.full(3, 2, np.float32)), [x],
                   (x * s.reshape(along) + t.reshape(along)) ** 2, 1e-3)
        self.check(lambda net, i: net.add_scale(i, modes.UNIFORM, t[:1], s[:1]), [x], x * s[0] + t[0])
        each = floats(3, 2, 2)
        self.check(lambda net, i: net.add_scale(i, modes.ELEMENTWISE, shift=each), [x], x + each)
        self.check(lambda net, i: net.add_scale_nd(i, modes.CHANNEL, None, s[:2], None, 2), [x],
                   x * s[:2].reshape(1, 1, 2, 1))
        self.check(lambda net, i: net.add_scale(i, modes.UNIFORM), [x], x)

    def test_reductions(self):
        x, ops = floats(2, 3, 4), trt.ReduceOperation
        for op, function in ((ops.SUM, np.sum), (ops.MAX, np.max), (ops.MIN, np.min), (ops.AVG, np.mean),
                             (ops.PROD, np.prod)):
            with self.subTest(op=str(op)):
                self.check(lambda net, t: net.add_reduce(t, op, (1 << 1) | (1 << 2), True), [x],
                           function(x, axis=(1, 2), keepdims=True), 1e-3)
        self.check(lambda net, t: net.add_reduce(t, ops.SUM, 1 << 1, False), [x], x.sum(axis=1))

    def test_softmax_along_the_default_and_a_chosen_dimension(self):
        x = floats(2, 3, 4, 5)

        def softmax(axis):
            e = np.exp(x - x.max(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def add(network, tensor):
            layer = network.add_softmax(tensor)
            layer.axes = 1 << 3
            return layer

        self.check(lambda net, t: net.add_softmax(t), [x], softmax(1))
        self.check(add, [x], softmax(3))

    def test_topk_gives_values_and_32_bit_indices(self):
        x = floats(2, 9)

        def add(network, tensor):
            layer = network.add_topk(tensor, trt.TopKOperation.MAX, 3, 1 << 1)
            self.assertEqual(layer.num_outputs, 2)
            self.assertEqual(layer.get_output(1).dtype, trt.int32)
            return [layer.get_output(0), layer.get_output(1)]

        order = np.argsort(-x, axis=1)[:, :3]
        self.check(add, [x], [np.take_along_axis(x, order, 1), order])
        self.check(lambda net, t: net.add_topk(t, trt.TopKOperation.MIN, 2, 2), [x], np.sort(x, axis=1)[:, :2])

    def test_shuffle_turns_reshapes_and_turns_again(self):
        x = floats(2, 3, 4)

        def add(network, tensor):
            layer = network.add_shuffle(tensor)
            layer.first_transpose, layer.reshape_dims = (0, 2, 1), trt.Dims([0, -1, 2])
            layer.second_transpose = trt.Permutation([2, 0, 1])
            return layer

        self.check(add, [x], x.transpose(0, 2, 1).reshape(2, -1, 2).transpose(2, 0, 1))
        self.check(lambda net, t: net.add_shuffle(t), [x], x)

    def test_concatenation(self):
        a, b = floats(1, 2, 3, 3), floats(1, 4, 3, 3)
        self.check(lambda net, x, y: net.add_concatenation([x, y]), [a, b], np.concatenate([a, b], 1))

        def last(network, x, y):
            layer = network.add_concatenation([x, y])
            layer.axis = 3
            return layer

        self.check(last, [a, a], np.concatenate([a, a], 3))

    def test_slices_forwards_backwards_and_by_tensors(self):
        x = floats(4, 6)
        self.check(lambda net, t: net.add_slice(t, (1, 0), (2, 3), (1, 2)), [x], x[1:3, 0:6:2])
        self.check(lambda net, t: net.add_slice(t, (3, 5), (4, 6), (-1, -1)), [x], x[::-1, ::-1])

        def by_tensors(network, tensor):
            layer = network.add_slice(tensor, (0, 0), (1, 1), (1, 1))
            layer.set_input(2, network.add_constant((2,), np.array([2, 4], np.int32)).get_output(0))
            return layer

        self.check(by_tensors, [x], x[:2, :4])

    def test_gathers(self):
        x, at = floats(4, 3), np.array([2, 0], np.int32)
        self.check(lambda net, t, i: net.add_gather(t, i, 0), [x, at], x[at])
        places = np.array([[0, 2], [1, 1], [2, 0], [0, 0]], np.int32)

        def elements(network, tensor, index):
            layer = network.add_gather_v2(tensor, index, trt.GatherMode.ELEMENT)
            layer.axis = 1
            return layer

        self.check(elements, [x, places], np.take_along_axis(x, places, 1))
        self.check(lambda net, t, i: net.add_gather_v2(t, i, trt.GatherMode.ND), [x, places[2:, :]],
                   np.array([x[2, 0], x[0, 0]]))

    def test_padding_adds_and_cuts_off(self):
        x = floats(1, 1, 4, 4)
        padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)), "constant")
        self.check(lambda net, t: net.add_padding_nd(t, (1, 0), (0, 2)), [x], padded)
        self.check(lambda net, t: net.add_padding_nd(t, (-1, 0), (0, -2)), [x], x[:, :, 1:, :-2])

    def test_resizing(self):
        x = floats(1, 1, 2, 2)

        def nearest(network, tensor):
            layer = network.add_resize(tensor)
            layer.shape = (1, 1, 4, 4)
            return layer

        def linear(network, tensor):
            layer = network.add_resize(tensor)
            layer.resize_mode, layer.scales = trt.InterpolationMode.LINEAR, [1, 1, 1.5, 1.5]
            layer.coordinate_transformation = trt.ResizeCoordinateTransformation.ALIGN_CORNERS
            return layer

        self.check(nearest, [x], x.repeat(2, 2).repeat(2, 3))
        rows = np.stack([x[0, 0, 0], x[0, 0].mean(axis=0), x[0, 0, 1]])
        expected = np.stack([rows[:, 0], rows.mean(axis=1), rows[:, 1]], axis=1)[None, None]
        self.check(linear, [x], expected)

    def test_constants_selection_conversion_and_shapes(self):
        x = floats(2, 3)
        c = floats(2, 3)
        self.check(lambda net, t: net.add_elementwise(t, net.add_constant(c.shape, c.ravel()).get_output(0),
                                                      trt.ElementWiseOperation.SUM), [x], x + c)
        self.check(lambda net, k, a, b: net.add_select(k, a, b), [x > 0, x, c], np.where(x > 0, x, c))
        self.check(lambda net, t: net.add_cast(t, trt.int32), [x], x.astype(np.int32))
        self.check(lambda net, t: net.add_identity(t), [x], x)
        self.check(lambda net, t: net.add_shape(t), [x], [np.array([2, 3])])

        def converted(network, tensor):
            layer = network.add_identity(tensor)
            layer.set_output_type(0, trt.int32)
            return layer

        self.check(converted, [x], x.astype(np.int32))

    def test_normalisation_lrn_and_parametric_relu(self):
        x = floats(2, 4, 3, 3)
        ones, zeros = np.ones((1, 4, 1, 1), np.float32), np.zeros((1, 4, 1, 1), np.float32)

        def normalised(groups):
            def add(network, tensor):
                layer = network.add_normalization(tensor, network.add_constant(ones.shape, ones).get_output(0),
                                                  network.add_constant(zeros.shape, zeros).get_output(0),
                                                  (1 << 2) | (1 << 3))
                layer.num_groups = groups
                return layer
            return add

        def expected(data, axes):
            mean, spread = data.mean(axis=axes, keepdims=True), data.var(axis=axes, keepdims=True)
            return ((data - mean) / np.sqrt(spread + 1e-5)).reshape(x.shape)

        self.check(normalised(1), [x], expected(x, (2, 3)), 1e-3)
        self.check(normalised(2), [x], expected(x.reshape(2, 2, 2, 3, 3), (2, 3, 4)), 1e-3)
        slopes = np.full((1, 4, 1, 1), 0.1, np.float32)
        self.check(lambda net, t: net.add_parametric_relu(t, net.add_constant(slopes.shape, slopes).get_output(0)), [x],
                   np.where(x < 0, 0.1 * x, x))
        window = sum(np.pad(x ** 2, ((0, 0), (1, 1), (0, 0), (0, 0)), "constant")[:, i:i + 4] for i in range(3))
        self.check(lambda net, t: net.add_lrn(t, 3, 0.3, 0.75, 1.0), [x], x / (1 + 0.1 * window) ** 0.75)

    def test_quantisation_and_back(self):
        x = floats(3, 4)

        def add(network, tensor):
            scale = network.add_constant((), np.array(0.1, np.float32)).get_output(0)
            return network.add_dequantize(network.add_quantize(tensor, scale).get_output(0), scale)

        self.check(add, [x], np.clip(np.round(x / np.float32(0.1)), -128, 127) * 0.1)


if __name__ == "__main__":
    unittest.main()
