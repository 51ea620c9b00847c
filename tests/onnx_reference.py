"""What tests/onnx_exchange_test.cc asks of Python: ONNX's checker, and networks that PyTorch exports.

    onnx_reference.py check FILE...       ONNX's checker and shape inference on each; prints "ok" or the first problem
    onnx_reference.py export DIRECTORY    writes NAME.onnx, NAME.inputs and NAME.outputs (float32) of each network; prints
                                          one JSON object a network: name, samples, outputs, bound

The networks have the operators of the well-known ones they are named after, at a size that a test can train. The bound of
an output is what float32 may lose: PyTorch's own distance between float32 and float64, times what another algorithm
may lose more. Exit status 77: the packages are missing.
"""
import json
import sys

try:
    import numpy
    import onnx
    import onnx.checker
    import onnx.shape_inference
except ImportError:
    sys.exit(77)

ORDERS = 256  # a transform of Winograd's F(4x4, 3x3) multiplies errors by up to 204 (docs/numerics.md)


def check(paths):
    for path in paths:
        try:
            onnx.checker.check_model(path, full_check=True)
            model = onnx.load(path)
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
            unknown = [value.name for value in inferred.graph.output if not value.type.tensor_type.HasField("shape")]
            if unknown:
                raise ValueError(f"no shape for {unknown}")
        except Exception as problem:  # whatever it is, the test shows it
            print(f"{path}: {problem}".replace("\n", " "))
            return 1
    print("ok")
    return 0


def networks(nn, torch):
    class Inception(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.one = nn.Sequential(nn.Conv2d(channels, 8, 1), nn.ReLU())
            self.three = nn.Sequential(nn.Conv2d(channels, 6, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
            self.five = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 5, padding=2), nn.ReLU())
            self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(channels, 4, 1), nn.ReLU())

        def forward(self, x):
            return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)

    class Residual(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.downsample = None
            if stride != 1:
                self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
            self.layers = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2), Residual(16, 24, 2))
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(24, 10)

        def forward(self, x):
            return self.fc(torch.flatten(self.avgpool(self.layers(self.stem(x))), 1))

    class Mean(nn.Module):  # how newer networks pool globally
        def forward(self, x):
            return x.mean([2, 3])

    alexnet = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(16, 24, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AdaptiveAvgPool2d((3, 3)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(216, 64), nn.ReLU(), nn.Linear(64, 10))
    vgg = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10))
    googlenet = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), Inception(12), Inception(24),
        nn.MaxPool2d(3, 2, ceil_mode=True), Inception(24), nn.AvgPool2d(7), nn.Flatten(), nn.Linear(24, 10), nn.Softmax(1))
    mean = nn.Sequential(nn.Conv2d(1, 8, 3, dilation=2), nn.LeakyReLU(0.1), Mean(), nn.Linear(8, 10), nn.LogSoftmax(1))
    return {"alexnet": alexnet, "vgg": vgg, "googlenet": googlenet, "resnet": ResNet(), "mean": mean}


def export(directory):
    try:
        import torch
    except ImportError:
        return 77
    torch.manual_seed(1)
    torch.set_num_threads(1)
    samples = 4
    for name, net in networks(torch.nn, torch).items():
        inputs = torch.randn(samples, 1, 28, 28)
        with torch.no_grad():
            for _ in range(3):  # running statistics that are not the initial ones
                net.train()(inputs + 0.1)
            net.eval()
            outputs = net(inputs)
            exact = net.double()(inputs.double())
            net.float()
        # The opset differs from net to net: their exporters differ in what is an attribute and what an input.
        opset = {"alexnet": 9, "vgg": 11, "googlenet": 12, "resnet": 13, "mean": 16}[name]
        # Batch norm stays as it is: the default folds it into the convolution before it.
        torch.onnx.export(net, inputs[:1], f"{directory}/{name}.onnx", opset_version=opset, input_names=["image"],
                          output_names=["scores"], dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        inputs.numpy().tofile(f"{directory}/{name}.inputs")
        outputs.numpy().tofile(f"{directory}/{name}.outputs")
        rounding = max(float((outputs.double() - exact).abs().max()), numpy.finfo("float32").eps * float(exact.abs().max()))
        print(json.dumps({"name": name, "samples": samples, "outputs": 10, "bound": ORDERS * rounding}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[2:]) if sys.argv[1] == "check" else export(sys.argv[2]))
