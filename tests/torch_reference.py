#!/usr/bin/python3
"""The loss curves of PyTorch from given weights and batches: the oracle of step-for-step agreement.

    tests/torch_reference.py FOLDER [--others K] [--threads N]

FOLDER holds
  reference.json       {"net": "lenet5" | "mlp", "batch": N, "steps": n, "rules": [rule, ...]}, each rule
                       {"name": "sgd" | "momentum" | "nesterov" | "adagrad" | "rmsprop" | "adam",
                        "learning_rate": ..., and as far as the rule has them "momentum", "weight_decay",
                        "epsilon", "beta1", "beta2", "decay"}
  weights.safetensors  float32: conv1.weight [K,C,R,S], conv1.bias, ..., fc1.weight [out,in], fc1.bias, ...
  batches.bin          inputs float32 [n, N, 1, 28, 28], then labels int32 [n, N]; little-endian, no header

and stdout receives one line a rule: {"rule": name, "exact": curve in float64, "rounded": [1 + K curves in float32],
"torch_version": ...}. A curve is the mean cross entropy of each batch before its update, n numbers. The first curve of
"rounded" is the same training as "exact". The K others show how much rounding can do: they take the samples of each
batch in another order, so that sums round differently, and start from weights that are off by a factor of 1 +- 2^-22.
Weights decay, biases do not. Exit status 77 where PyTorch is missing.
"""
import argparse
import json
import pathlib
import sys

try:
    import numpy as np
    import torch
    from torch.nn import functional
except ImportError as error:
    print(f"torch_reference.py: {error} (Debian: python3-torch python3-numpy)", file=sys.stderr)
    sys.exit(77)

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bench" / "peers"))
from safetensors_file import read_safetensors  # noqa: E402


def lenet5(p, x):
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=2)), 2)
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, p["conv2.weight"], p["conv2.bias"])), 2)
    return mlp(p, x)


def mlp(p, x):
    x = functional.relu(functional.linear(x.flatten(1), p["fc1.weight"], p["fc1.bias"]))
    x = functional.relu(functional.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return functional.linear(x, p["fc3.weight"], p["fc3.bias"])


NETS = {"lenet5": lenet5, "mlp": mlp}


def make_rule(rule, parameters):
    """The optimiser that `rule` describes; a key that it does not know is an error, not a default."""
    rule = dict(rule)
    name = rule.pop("name")
    known = {"lr": rule.pop("learning_rate")}
    groups = [{"params": [p for key, p in parameters.items() if key.endswith(".weight")],
               "weight_decay": rule.pop("weight_decay", 0.0)},
              {"params": [p for key, p in parameters.items() if not key.endswith(".weight")]}]
    if name in ("momentum", "nesterov"):
        known.update(momentum=rule.pop("momentum"), nesterov=name == "nesterov")
    elif name == "adagrad":
        known.update(eps=rule.pop("epsilon"))
    elif name == "rmsprop":
        known.update(eps=rule.pop("epsilon"), alpha=rule.pop("decay"))
    elif name == "adam":
        known.update(eps=rule.pop("epsilon"), betas=(rule.pop("beta1"), rule.pop("beta2")))
    elif name != "sgd":
        raise ValueError(f"unknown rule {name}")
    if rule:
        raise ValueError(f"{name} has no {', '.join(rule)}")
    classes = {"adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}
    return classes.get(name, torch.optim.SGD)(groups, **known)


def read_batches(path, steps, batch):
    raw = path.read_bytes()
    count = steps * batch * 784
    if len(raw) != 4 * (count + steps * batch):
        raise ValueError(f"{path}: {len(raw)} bytes, expected {4 * (count + steps * batch)}")
    inputs = np.frombuffer(raw, "<f4", count).reshape(steps, batch, 1, 28, 28)
    return inputs, np.frombuffer(raw, "<i4", offset=4 * count).reshape(steps, batch)


class Task:
    """What FOLDER asks for."""

    def __init__(self, folder):
        self.description = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        self.forward = NETS[self.description["net"]]
        self.weights = read_safetensors(folder / "weights.safetensors")
        self.inputs, self.labels = read_batches(folder / "batches.bin", self.description["steps"],
                                                self.description["batch"])

    def weight(self, array, draws):
        """The weights to start from: as given, or moved by 2^-22 of their size, up or down."""
        return array * (1 + 2.0**-22 * draws.choice([-1, 1], array.shape)) if draws else array

    def curve(self, rule, dtype, other=0):
        """The losses of one training: as asked for, or the `other`-th that differs as rounding makes it differ."""
        draws = np.random.default_rng(other) if other else None
        parameters = {name: torch.tensor(self.weight(array, draws), dtype=dtype, requires_grad=True)
                      for name, array in self.weights.items()}
        optimiser = make_rule(rule, parameters)
        losses = []
        for x, y in zip(self.inputs, self.labels):
            if draws:
                samples = draws.permutation(len(y))
                x, y = x[samples], y[samples]
            optimiser.zero_grad(set_to_none=True)
            scores = self.forward(parameters, torch.tensor(x, dtype=dtype))
            loss = functional.cross_entropy(scores, torch.tensor(y, dtype=torch.int64))
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--others", type=int, default=0, help="float32 curves beside the first")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        task = Task(arguments.folder)
        for rule in task.description["rules"]:
            json.dump({"rule": rule["name"], "exact": task.curve(rule, torch.float64),
                       "rounded": [task.curve(rule, torch.float32, k) for k in range(arguments.others + 1)],
                       "torch_version": torch.__version__}, sys.stdout, allow_nan=False)
            print(flush=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        print(f"torch_reference.py: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
