# SPDX-License-Identifier: Apache-2.0
"""Networks whose weights PyTorch draws: a small vision transformer, batch norms that keep activations in range, and the
way to ONNX."""
import inspect
import os
import warnings

import torch
from torch import nn

BATCH = 8  # pictures that a batch norm takes its statistics from at once


class Attention(nn.Module):
    """Written out as matrix products and a softmax: ONNX has no attention at the version that is exported."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.to_qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.to_qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax((query * self.scale) @ key.transpose(-1, -2), dim=-1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.before_attention = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 4 * width), nn.GELU(),
                                 nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.before_attention(x))
        return x + self.mlp(x)


class VisionTransformer(nn.Module):
    """ViT-Tiny by default. Members are made in the order in which their weights are drawn."""

    def __init__(self, size=224, patch=16, width=192, depth=12, heads=3, classes=1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.classify = nn.Linear(width, classes)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat((self.class_token, tokens), dim=1) + self.positions)
        return self.classify(self.norm(x)[:, 0])


def settle_batch_norms(network, inputs):
    """Scales and shifts as a trained network might have, and the statistics of these inputs. With PyTorch's ones and
    zeros activations would vanish or explode with depth, and INT8 would be calibrated on nothing."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.1)
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        for batch in torch.from_numpy(inputs).split(BATCH) if norms else ():
            network(batch)


def export(network, sample, path):
    """ONNX at `path`, and beside it, in torchscript/, what pnnx reads best."""
    network.eval()
    sample = torch.from_numpy(sample)
    folder, name = os.path.split(os.path.splitext(path)[0])
    os.makedirs(os.path.join(folder, "torchscript"), exist_ok=True)
    # The newer exporter, where there is one, writes no opset as old as 13.
    options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folding that is left to the engines, and of newer exporters
        torch.jit.trace(network, sample).save(os.path.join(folder, "torchscript", name + ".pt"))
        torch.onnx.export(network, sample, path + ".part", opset_version=13, input_names=["input"],
                          output_names=["output"], **options)
    os.replace(path + ".part", path)
