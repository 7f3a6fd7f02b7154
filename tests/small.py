"""A probe and tasks small enough that tests over them take no time."""

import torch
from torch import nn

from t2v.probe import Probe
from t2v.task import Task


def small_probe(seed=0):
    torch.manual_seed(seed)
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(3, 6, 3, 2, 1))
    network.add_module("relu", nn.ReLU(inplace=True))
    network.add_module("conv2", nn.Conv2d(6, 10, 3, 2, 1))
    network.add_module("pool", nn.AdaptiveAvgPool2d(2))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Identity())
    return Probe(
        name="small",
        network=network.eval().requires_grad_(False),
        head_at="fc",
        image_size=12,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        sha256=f"small-{seed}",
        device=torch.device("cpu"),
    )


def small_task(name="blots", classes=3, count=60, seed=0, held_out=0.25, **options):
    """Noise around a colour of its own for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    colour = torch.rand(classes, 3, 1, 1, generator=generator) * 255
    noise = 60 * torch.randn(count, 3, 12, 12, generator=generator)
    images = (colour[labels] + noise).clamp(0, 255).to(torch.uint8)
    test = torch.rand(count, generator=generator) < held_out
    return Task(name, images, labels, [f"c{k}" for k in range(classes)], test=test, **options)
