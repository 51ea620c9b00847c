#!/usr/bin/python3
"""Trains a network of torch_nets.py on batches that its caller hands over, one after the other.

    bench/peers/learn_torch.py FOLDER --depth 20 --classes 10 --shape 3x32x32 --momentum 0.9 --weight-decay 5e-4

trains the residual net for CIFAR-10 of that depth. FOLDER holds weights.safetensors, the values to begin with in graph
order, and batch.bin, which the caller writes anew before each line on stdin:

    train N RATE   an SGD step on N samples at that learning rate; answers {"loss": mean cross entropy before it}
    test N         answers {"loss": sum of the cross entropies, "correct": samples}

batch.bin has N samples, float32, and N labels, int32, little-endian. Weights decay; biases and batch norms do not.
"""
import argparse
import json
import os
import pathlib
import sys


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--shape", required=True, help="of a sample: 3x32x32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--weight-decay", type=float, required=True)
    return parser.parse_args()


ARGUMENTS = parse_arguments()
# The pools read their size when the library is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ARGUMENTS.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

from safetensors_file import read_safetensors  # noqa: E402
from torch_nets import make_cifar_resnet  # noqa: E402


def load(net, arrays):
    """Copies the arrays into the net's tensors, in order; each must have its tensor's shape."""
    tensors = [value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")]
    if len(tensors) != len(arrays):
        raise ValueError(f"{len(arrays)} arrays for {len(tensors)} tensors")
    with torch.no_grad():
        for tensor, array in zip(tensors, arrays):
            if tuple(tensor.shape) != array.shape:
                raise ValueError(f"an array of shape {array.shape} for a tensor of shape {tuple(tensor.shape)}")
            tensor.copy_(torch.from_numpy(array.copy()))


class Learner:
    """The network, its optimiser and the file that its batches come by."""

    def __init__(self):
        self.net = make_cifar_resnet(ARGUMENTS.depth, ARGUMENTS.classes)
        load(self.net, list(read_safetensors(ARGUMENTS.folder / "weights.safetensors").values()))
        weights = [p for p in self.net.parameters() if p.dim() > 1]
        others = [p for p in self.net.parameters() if p.dim() <= 1]
        self.optimiser = torch.optim.SGD([{"params": weights, "weight_decay": ARGUMENTS.weight_decay},
                                          {"params": others, "weight_decay": 0.0}],
                                         lr=1.0, momentum=ARGUMENTS.momentum)
        self.shape = tuple(int(size) for size in ARGUMENTS.shape.split("x"))

    def batch(self, samples):
        raw = (ARGUMENTS.folder / "batch.bin").read_bytes()
        count = samples * int(np.prod(self.shape))
        inputs = np.frombuffer(raw, "<f4", count).reshape(samples, *self.shape)
        labels = np.frombuffer(raw, "<i4", samples, offset=4 * count).astype(np.int64)
        return torch.from_numpy(inputs.copy()), torch.from_numpy(labels)

    def train(self, samples, rate):
        inputs, labels = self.batch(samples)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(self.net(inputs), labels)
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.item()}

    def test(self, samples):
        inputs, labels = self.batch(samples)
        self.net.eval()
        with torch.no_grad():
            scores = self.net(inputs)
            loss = functional.cross_entropy(scores, labels, reduction="sum")
            return {"loss": loss.item(), "correct": int((scores.argmax(1) == labels).sum())}


def main():
    torch.set_num_threads(ARGUMENTS.threads)
    learner = Learner()
    print(json.dumps({"ready": True, "torch_version": torch.__version__}), flush=True)
    for line in sys.stdin:
        words = line.split()
        if len(words) == 3 and words[0] == "train":
            answer = learner.train(int(words[1]), float(words[2]))
        elif len(words) == 2 and words[0] == "test":
            answer = learner.test(int(words[1]))
        else:
            print(f"learn_torch.py: expected 'train N RATE' or 'test N', got {line.strip()!r}", file=sys.stderr)
            return 2
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
