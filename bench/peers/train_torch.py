#!/usr/bin/python3
"""Training throughput of PyTorch on the networks that Convoy is compared on.

A step is zero_grad, forward, cross entropy, backward and SGD (momentum 0.9, weight decay 5e-4) on one fixed synthetic
batch; nothing else is timed. Source torch_env.sh first: untuned, Debian's PyTorch loses up to half of its speed.

    . bench/peers/torch_env.sh && bench/peers/train_torch.py --net lenet5 --threads 2 --batch 64 --seconds 6

prints one line of JSON. With --serve it warms up, prints the line {"ready": true, ...}, and then answers each line
"run SECONDS" of stdin with one such line, so that a caller can interleave it with its own measurements; it ends with
stdin. Between requests its threads sleep.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", required=True,
                        choices=["alexnet-owt", "googlenet", "lenet5", "mlp", "resnet50", "vgg16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=6, help="of one measurement")
    parser.add_argument("--channels-last", action="store_true", help="NHWC tensors inside PyTorch")
    parser.add_argument("--serve", action="store_true", help="answer requests on stdin")
    return parser.parse_args()


ARGUMENTS = parse_arguments()
# The pools read their size when the library is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ARGUMENTS.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402


def make_lenet5():
    """LeNet-5 with ReLU and max pooling: 61,706 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def make_mlp():
    """784-1024-1024-10."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
                         nn.Linear(1024, 10))


def relu():
    return nn.ReLU(inplace=True)


def make_alexnet_owt():
    """AlexNet in one tower (Krizhevsky 2014): 61,100,840 parameters."""
    layers, channels = [], 3
    for outputs, kernel, stride, pad, is_pooled in [(64, 11, 4, 2, True), (192, 5, 1, 2, True), (384, 3, 1, 1, False),
                                                    (256, 3, 1, 1, False), (256, 3, 1, 1, True)]:
        layers += [nn.Conv2d(channels, outputs, kernel, stride, pad), relu()]
        layers += [nn.MaxPool2d(3, 2)] if is_pooled else []
        channels = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(), nn.Linear(9216, 4096), relu(), nn.Dropout(),
                         nn.Linear(4096, 4096), relu(), nn.Linear(4096, 1000))


def make_vgg16():
    """VGG-16, configuration D: 138,357,544 parameters."""
    layers, channels = [], 3
    for outputs, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), relu()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), relu(), nn.Dropout(), nn.Linear(4096, 4096),
                         relu(), nn.Dropout(), nn.Linear(4096, 1000))


class Inception(nn.Module):
    """Four branches side by side: 1x1; 1x1 and 3x3; 1x1 and 5x5; maximum and 1x1."""

    def __init__(self, channels, plain, before_3x3, of_3x3, before_5x5, of_5x5, pooled):
        super().__init__()

        def conv(inputs, outputs, kernel):
            return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), relu()]

        self.branches = nn.ModuleList([
            nn.Sequential(*conv(channels, plain, 1)),
            nn.Sequential(*conv(channels, before_3x3, 1), *conv(before_3x3, of_3x3, 3)),
            nn.Sequential(*conv(channels, before_5x5, 1), *conv(before_5x5, of_5x5, 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), *conv(channels, pooled, 1))])

    def forward(self, inputs):
        return torch.cat([branch(inputs) for branch in self.branches], 1)


def make_googlenet():
    """GoogLeNet without auxiliary heads and response normalisation: 6,998,552 parameters."""
    def halve():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    stem = [nn.Conv2d(3, 64, 7, 2, 3), relu(), halve(), nn.Conv2d(64, 64, 1), relu(),
            nn.Conv2d(64, 192, 3, padding=1), relu(), halve()]
    third = [Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), halve()]
    fourth = [Inception(480, 192, 96, 208, 16, 48, 64), Inception(512, 160, 112, 224, 24, 64, 64),
              Inception(512, 128, 128, 256, 24, 64, 64), Inception(512, 112, 144, 288, 32, 64, 64),
              Inception(528, 256, 160, 320, 32, 128, 128), halve()]
    fifth = [Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128)]
    return nn.Sequential(*stem, *third, *fourth, *fifth, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4),
                         nn.Linear(1024, 1000))


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the channels, added to the input or its projection."""

    def __init__(self, inputs, channels, stride):
        super().__init__()
        outputs = 4 * channels
        self.body = nn.Sequential(
            nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels), relu(),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), relu(),
            nn.Conv2d(channels, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = relu()

    def forward(self, inputs):
        return self.relu(self.body(inputs) + self.shortcut(inputs))


def make_resnet50():
    """ResNet-50 with strides in the 3x3 layers: 25,557,032 parameters."""
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), relu(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for blocks, channels, first_stride in [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)]:
        for block in range(blocks):
            layers.append(Bottleneck(inputs, channels, first_stride if block == 0 else 1))
            inputs = 4 * channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


PHOTO, DIGIT = ((3, 224, 224), 1000), ((1, 28, 28), 10)
# Name: how it is made; shape of a sample, classes.
NETS = {"alexnet-owt": (make_alexnet_owt, PHOTO), "googlenet": (make_googlenet, PHOTO), "lenet5": (make_lenet5, DIGIT),
        "mlp": (make_mlp, DIGIT), "resnet50": (make_resnet50, PHOTO), "vgg16": (make_vgg16, PHOTO)}


class Trainer:
    """One network, its optimiser and its batch."""

    def __init__(self, net, batch, channels_last):
        torch.manual_seed(1)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        make, (shape, classes) = NETS[net]
        self.net = make().to(memory_format=layout)
        self.inputs = torch.randn(batch, *shape).contiguous(memory_format=layout)
        self.labels = torch.randint(0, classes, (batch,))
        self.loss = nn.CrossEntropyLoss()
        self.optimiser = torch.optim.SGD(self.net.parameters(), lr=0.001, momentum=0.9, weight_decay=5e-4)

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(self.net(self.inputs), self.labels).backward()
        self.optimiser.step()

    def measure(self, seconds):
        """The seconds of each step, over at least `seconds` and three steps."""
        times, start = [], time.perf_counter()
        while len(times) < 3 or time.perf_counter() - start < seconds:
            begin = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - begin)
        return times


def describe(times):
    batch = ARGUMENTS.batch
    return {
        "net": ARGUMENTS.net, "batch": batch, "threads": ARGUMENTS.threads,
        "layout": "nhwc" if ARGUMENTS.channels_last else "nchw",
        "images_per_second": {"median": batch / statistics.median(times), "best": batch / min(times)},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "steps": len(times), "torch_version": torch.__version__,
        "cpu_capability": os.environ.get("ATEN_CPU_CAPABILITY", "default"),
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", "default"),
    }


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    torch.set_num_threads(ARGUMENTS.threads)
    trainer = Trainer(ARGUMENTS.net, ARGUMENTS.batch, ARGUMENTS.channels_last)
    for _ in range(3):
        trainer.step()
    if not ARGUMENTS.serve:
        say(describe(trainer.measure(ARGUMENTS.seconds)))
        return 0
    say({"ready": True, "net": ARGUMENTS.net, "batch": ARGUMENTS.batch, "threads": ARGUMENTS.threads})
    for line in sys.stdin:
        words = line.split()
        if len(words) != 2 or words[0] != "run":
            print(f"train_torch.py: expected 'run SECONDS', got {line.strip()!r}", file=sys.stderr)
            return 2
        say(describe(trainer.measure(float(words[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
