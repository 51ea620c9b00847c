"""The networks of the comparisons, each with its parameters in the order of Convoy's graph."""
import torch
from torch import nn


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


class BasicBlock(nn.Module):
    """3x3 with the stride, 3x3, added to the input: every second pixel of it, and zeros for the channels it lacks."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), relu(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.stride, self.missing, self.relu = stride, outputs - inputs, relu()

    def forward(self, inputs):
        shortcut = inputs[:, :, ::self.stride, ::self.stride]
        return self.relu(self.body(inputs) + nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.missing)))


def make_cifar_resnet(depth, classes):
    """The residual net for CIFAR-10 of that depth, shortcuts without parameters (He et al. 2016, 4.2)."""
    layers, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), relu()], 16
    for channels in (16, 32, 64):
        for block in range((depth - 2) // 6):
            layers.append(BasicBlock(inputs, channels, 2 if block == 0 and channels > 16 else 1))
            inputs = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


PHOTO, DIGIT = ((3, 224, 224), 1000), ((1, 28, 28), 10)
# Name: how it is made; shape of a sample, classes.
NETS = {"alexnet-owt": (make_alexnet_owt, PHOTO), "googlenet": (make_googlenet, PHOTO), "lenet5": (make_lenet5, DIGIT),
        "mlp": (make_mlp, DIGIT), "resnet50": (make_resnet50, PHOTO), "vgg16": (make_vgg16, PHOTO)}
