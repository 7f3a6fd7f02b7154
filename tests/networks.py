"""Networks and images for tests of the Fisher information, and ways to compare them."""

from __future__ import annotations

import torch
import torchvision.models as zoo
from torch import nn

FLOAT64 = {"dtype": torch.float64}


class Odd(nn.Module):
    """One of everything torchvision's networks do, and some things they do not."""

    def __init__(self, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (5, 3), (2, 1), (2, 0))
        self.norm1, self.norm2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.same = nn.Conv2d(8, 8, 3, 1, padding="same", dilation=2, bias=False)
        self.grouped = nn.Conv2d(8, 12, 3, 2, 1, groups=4)
        self.depthwise = nn.Conv2d(12, 24, (1, 3), groups=12, padding_mode="circular", padding=1)
        self.reflect = nn.Conv2d(24, 6, 1, stride=(2, 1), padding=1, padding_mode="reflect")
        self.shared = nn.Conv2d(6, 6, 3, padding=1)
        self.tied, self.tie = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1, stride=2, bias=False)
        self.tie.weight = self.tied.weight
        self.unused = nn.Conv2d(6, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(12, classes)

    def forward(self, x):
        x = self.relu(self.norm1(self.stem(x)))
        y = self.norm2(self.same(x))
        y += x  # residual, in place
        x = self.relu(self.grouped(self.relu(y)))
        x = torch.nn.functional.max_pool2d(self.depthwise(x), 2)
        x = self.relu(self.reflect(x))
        x = self.shared(self.relu(self.shared(x))[..., 1:])  # twice, at two sizes
        x = torch.cat([self.tied(x).mean((2, 3)), self.tie(x.relu()).amax((2, 3))], 1)
        return self.head(self.drop(x) * 5)


def slice_of(features, channels, classes=4):
    head = nn.Linear(channels, classes)
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


NETWORKS = {
    "odd": (Odd, (15, 12)),
    "resnet18": (lambda: zoo.resnet18(num_classes=3), (32, 38)),
    "densenet (first blocks)": (lambda: slice_of(zoo.densenet121().features[:7], 512), (32, 32)),
    "mobilenet_v2": (lambda: slice_of(zoo.mobilenet_v2().features[:12], 96), (32, 40)),
    "mobilenet_v3": (lambda: zoo.mobilenet_v3_small(num_classes=3), (36, 32)),
    "squeezenet": (lambda: zoo.squeezenet1_1(num_classes=4), (36, 32)),
    "vgg (with batch norm)": (lambda: slice_of(zoo.vgg11_bn().features[:14], 256), (16, 20)),
    "alexnet": (lambda: slice_of(zoo.alexnet().features, 256), (64, 70)),
    "googlenet": (lambda: zoo.googlenet(num_classes=3, init_weights=False), (32, 32)),
    "shufflenet": (lambda: zoo.shufflenet_v2_x0_5(num_classes=4), (36, 32)),
    "efficientnet": (lambda: slice_of(zoo.efficientnet_b0().features[:5], 80), (32, 36)),
    "convnext": (lambda: slice_of(zoo.convnext_tiny().features[:2], 96), (32, 32)),
    "regnet": (lambda: zoo.regnet_y_400mf(num_classes=3), (32, 32)),
}


def build(name, seed=0):
    """The network with batch statistics that differ from the identity, and images for it."""
    torch.manual_seed(seed)
    make, size = NETWORKS[name]
    network = make().double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return network, torch.randn(2, 3, *size, **FLOAT64)


def small(seed=0, classes=4, sharpness=3.0):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, 2), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Conv2d(5, 4, 2),
        nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 9, classes),
    )  # fmt: skip
    network[-1].weight.data.mul_(sharpness)
    return network.double().eval(), torch.randn(6, 3, 9, 9, **FLOAT64)


def trained(classes=6, per_class=20, steps=150):
    """A network that tells noisy patterns apart, as confidently as a head usually does."""
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(72, classes),
    ).double()  # fmt: skip
    labels = torch.arange(classes).repeat(per_class)
    patterns = torch.randn(classes, 3, 9, 9, **FLOAT64)
    images = 0.7 * patterns[labels] + torch.randn(len(labels), 3, 9, 9, **FLOAT64)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval(), images


def state(network):
    return {
        "modes": [module.training for module in network.modules()],
        "flags": [p.requires_grad for p in network.parameters()],
        "grads": [p.grad if p.grad is None else p.grad.clone() for p in network.parameters()],
        "hooks": [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for m in network.modules()
        ],
        "names": [sorted(vars(module)) for module in network.modules()],
        "values": [v.clone() for v in network.state_dict().values()],
    }


def same(before, after):
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for key in before
        for a, b in zip(before[key], after[key], strict=True)
    )
