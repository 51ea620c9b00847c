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
    parser.add_argument("--bf16", action="store_true", help="forward and loss under autocast to bfloat16")
    parser.add_argument("--serve", action="store_true", help="answer requests on stdin")
    return parser.parse_args()


ARGUMENTS = parse_arguments()
# The pools read their size when the library is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ARGUMENTS.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402

from torch_nets import NETS  # noqa: E402


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
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=ARGUMENTS.bf16):
            loss = self.loss(self.net(self.inputs), self.labels)
        loss.backward()
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
        "precision": "bf16" if ARGUMENTS.bf16 else "float32",
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
