# SPDX-License-Identifier: Apache-2.0
"""Small models for the tests: each takes or returns something that ONNX does not know as such."""
import collections

import torch
from torch import nn

Pair = collections.namedtuple("Pair", "features label")


class Plain(nn.Module):
    """Convolution, batch norm, pooling, a linear layer: a picture to five logits."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        self.norm.running_mean.uniform_(-0.5, 0.5)
        self.norm.running_var.uniform_(0.5, 2.0)

    def features(self, image):
        """What is before the linear layer."""
        return torch.relu(self.norm(self.conv(image))).mean((2, 3))

    def forward(self, image):
        return self.head(self.features(image))


class Nested(Plain):
    """A dict with a named tuple and a constant in it."""

    def forward(self, image, scale=None):
        features = self.features(image)
        logits = self.head(features)
        return {"logits": logits, "more": Pair(features, logits.argmax(1)), "classes": 5, "none": None}


class TwoInputs(nn.Module):
    """Arguments by name, and a nest of them."""

    def __init__(self):
        super().__init__()
        self.left = nn.Linear(4, 6)
        self.right = nn.Linear(3, 6)

    def forward(self, a, rest, gain=1.0):
        b, offset = rest["b"], rest["offset"]
        return self.left(a) * gain + self.right(b) + offset, torch.relu(self.right(b))


class Attention(nn.Module):
    """Modules for which torch has fused operators of its own when nothing wants gradients."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        y = self.layer(x)
        return self.attention(y, y, y, need_weights=False)[0]


class BakedBatch(nn.Module):
    """Writes the batch of the example into the model, as careless code does."""

    def forward(self, x):
        return x.reshape(int(x.shape[0]), -1).sum(1).reshape([int(x.shape[0])]) + torch.arange(len(x.tolist()))


def _is_exporting():
    """Whether torch.export looks on; releases without it never do."""
    return getattr(getattr(torch, "compiler", None), "is_exporting", bool)()


class Off(nn.Module):
    """Computes one thing in Python and another when it is exported."""

    def forward(self, x):
        return x * (2.0 if torch.onnx.is_in_onnx_export() or _is_exporting() else 2.1)


class Unknown(nn.Module):
    """An operation that no exporter has a name for."""

    def forward(self, x):
        return torch.special.i0e(x) if hasattr(torch.special, "i0e") else torch.i0(x)


def seeded(make):
    """A model with the same weights each time."""
    torch.manual_seed(0)
    return make()
