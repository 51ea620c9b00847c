#!/usr/bin/python3
"""One convolution of PyTorch at a time, in the direction asked for.

Source torch_env.sh first: untuned, Debian's PyTorch loses up to half of its speed.

    . bench/peers/torch_env.sh && bench/peers/conv_torch.py --threads 2

prints the line {"ready": true, ...}, and then answers each line of stdin, a JSON object with the members n, c, h, w, k,
r, q, strides, pads (down, across), dilations, groups, direction (forward, backward_data or backward_weights) and
seconds, with one line: for NCHW and NHWC the seconds of one call, median and best, over at least `seconds` and three
calls, or over one call where that takes longer. It ends with stdin. Between requests its threads sleep.
"""
import argparse
import json
import os
import statistics
import sys
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


ARGUMENTS = parse_arguments()
# The pools read their size when the library is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ARGUMENTS.threads)

import torch  # noqa: E402

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def output_size(size, kernel, stride, pad, dilation):
    return (size + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1


def make_call(problem, layout):
    """A function that computes the convolution once."""
    torch.manual_seed(1)
    window = [problem["strides"], problem["pads"], problem["dilations"]]
    height, width = (output_size(problem[size], problem[kernel], *(pair[d] for pair in window))
                     for d, (size, kernel) in enumerate([("h", "r"), ("w", "q")]))
    groups = problem["groups"]

    def random(*sizes):
        return torch.rand(*sizes).mul_(2).sub_(1).contiguous(memory_format=layout)

    image = random(problem["n"], problem["c"], problem["h"], problem["w"])
    filters = random(problem["k"], problem["c"] // groups, problem["r"], problem["q"])
    if problem["direction"] == "forward":
        return lambda: torch.conv2d(image, filters, None, *window, groups)
    gradient = random(problem["n"], problem["k"], height, width)
    wanted = [problem["direction"] == "backward_data", problem["direction"] == "backward_weights", False]
    return lambda: torch.ops.aten.convolution_backward(gradient, image, filters, None, *window, False, [0, 0], groups,
                                                       wanted)


def seconds_of(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measure(call, seconds):
    """The seconds of each call; the first one warms up, unless it alone takes long enough."""
    first = seconds_of(call)
    if first > max(1, seconds):
        return [first]
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        times.append(seconds_of(call))
    return times


def answer(problem):
    result = {}
    with torch.no_grad():
        for name, layout in LAYOUTS.items():
            times = measure(make_call(problem, layout), problem["seconds"])
            result[name] = {"median": statistics.median(times), "best": min(times), "samples": times}
    return result


def say(line):
    print(json.dumps(line), flush=True)


def main():
    torch.set_num_threads(ARGUMENTS.threads)
    say({"ready": True, "threads": ARGUMENTS.threads, "torch_version": torch.__version__,
         "cpu_capability": os.environ.get("ATEN_CPU_CAPABILITY", "default")})
    for line in sys.stdin:
        say(answer(json.loads(line)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
