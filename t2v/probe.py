"""Probe networks: a frozen feature extractor, its preprocessing, and a place for a head."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from t2v._numerics.precision import full_precision
from t2v.architectures import build_network, detach_head, fill, read_state_dict, state_sha256
from t2v.errors import FileError, InputError
from t2v.head import Head
from t2v.task import ImageSource

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LAYOUT = torch.channels_last  # forward and backward take a fifth less time on the CPU


@dataclass(frozen=True, eq=False)
class Probe:
    """A frozen network in eval mode whose last linear layer has been taken off.

    Attributes:
        name: architecture.
        network: float `[N, 3, S, S]` (as `preprocess` gives) to features `[N, D]`.
        head_at: where in the network the head belongs (a module path, an `Identity` here).
        image_size: S, pixels.
        mean: per channel, of images in [0, 1].
        std: per channel, likewise.
        sha256: of the weights' names and values, so that embeddings can tell probes apart.
        device: where the network is.
    """

    name: str
    network: nn.Module
    head_at: str
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sha256: str
    device: torch.device

    def __repr__(self) -> str:
        return (
            f"Probe({self.name!r}, {sum(self.filters.values())} filters in {len(self.filters)} "
            f"layers, {self.image_size} px, {self.device})"
        )

    @cached_property
    def filters(self) -> dict[str, int]:
        """Number of filters of each convolution, in the network's order."""
        return {
            name: module.out_channels
            for name, module in self.network.named_modules()
            if isinstance(module, nn.Conv2d)
        }

    def preprocess(self, images: Tensor | ImageSource) -> Tensor:
        """Shorter side to `image_size` (antialiased), centre crop, standardise.

        Args:
            images: uint8 `[N, 3, h, w]`, or a source of uint8 `[3, h, w]`.

        Returns:
            float32 `[N, 3, S, S]` on the probe's device, channels last in memory.
        """
        from torchvision.transforms.v2 import functional as tv

        def fitted(image: Tensor) -> Tensor:
            image = image.to(self.device)
            if tuple(image.shape[-2:]) != (self.image_size, self.image_size):
                image = tv.resize(image, [self.image_size], antialias=True)
                image = tv.center_crop(image, [self.image_size, self.image_size])
            return image

        if isinstance(images, Tensor):
            pixels = fitted(images)
        else:
            pixels = torch.stack([fitted(images[i]) for i in range(len(images))])
        mean = torch.tensor(self.mean, device=self.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=self.device).view(3, 1, 1)
        pixels = pixels.to(torch.float32, memory_format=_LAYOUT)
        return pixels.div_(255).sub_(mean).div_(std)

    @torch.no_grad()
    @full_precision()
    def features(self, images: Tensor | ImageSource, batch_size: int | None = None) -> Tensor:
        """The input of the head for each image.

        Args:
            images: uint8 `[N, 3, h, w]`, or a source of uint8 `[3, h, w]`.
            batch_size: default: about a million input values at once on the CPU, whose caches they
                fit, forty million on a GPU.

        Returns:
            float32 `[N, D]` on the CPU.
        """
        values = 40_000_000 if self.device.type == "cuda" else 1_000_000
        size = batch_size or max(1, values // (3 * self.image_size**2))
        parts = [
            self.network(self.preprocess(_slice(images, start, start + size))).flatten(1).cpu()
            for start in range(0, len(images), size)
        ]
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def with_head(self, head: Head) -> nn.Module:
        """The whole network: float `[N, 3, S, S]` to logits `[N, K]`; layers keep their names."""
        linear = nn.Linear(head.weight.shape[1], head.weight.shape[0])
        linear.load_state_dict({"weight": head.weight, "bias": head.bias})
        network = copy.deepcopy(self.network)
        network.set_submodule(self.head_at, linear.requires_grad_(False).to(self.device))
        return network.eval()

    def with_weights(self, state: Mapping[str, Tensor]) -> Probe:
        """A probe of the same architecture with the weights of a state dict (without head).

        Raises:
            RuntimeError: PyTorch's own, where names or shapes do not fit.
        """
        network = copy.deepcopy(self.network)
        fill(network, state)
        return replace(self, network=network, sha256=state_sha256(state))

    @torch.no_grad()
    def logits(self, images: Tensor | ImageSource, head: Head) -> Tensor:
        """Logits `[N, K]` of uint8 images, float32 on the CPU."""
        return head.logits(self.features(images))


def load_probe(
    name: str,
    weights: str | Path | None = None,
    image_size: int | None = None,
    device: str | torch.device = "auto",
) -> Probe:
    """A probe network with its pretrained weights.

    Args:
        name: "synthetic" (a small residual network for 48 px that comes with the package), or the
            name of any torchvision classifier that has convolutions, e.g. "resnet34".
        weights: a state dict as `.safetensors` or `.pth`. Default: those in the package for
            "synthetic"; else `NAME.safetensors` in the folder that the environment variable
            `T2V_WEIGHTS` names, else torchvision's own (its cache, or a download).
        image_size: pixels; default 48 for "synthetic", 224 otherwise.
        device: "auto" takes CUDA where there is one.

    Raises:
        InputError: for an unknown network, one without convolutions, or a missing device.
        FileError: if the weights cannot be read or do not fit the network.
    """
    state = read_state_dict(name, weights)
    network = build_network(name)
    try:
        head_at = detach_head(network, state)
        fill(network, state)
    except (RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise FileError(f"weights {weights or 'of ' + name} do not fit {name}: {reason}") from None
    where = _device(device)
    return Probe(
        name=name,
        network=network.eval().requires_grad_(False).to(where, memory_format=_LAYOUT),
        head_at=head_at,
        image_size=image_size or (48 if name == "synthetic" else 224),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        sha256=state_sha256(state),
        device=where,
    )


def random_probe(name: str, device: str | torch.device = "auto") -> Probe:
    """A probe of an architecture with random weights, to be replaced by `Probe.with_weights`."""
    network, where = build_network(name), _device(device)
    head_at = detach_head(network, network.state_dict())
    network = network.eval().requires_grad_(False).to(where, memory_format=_LAYOUT)
    return Probe(name, network, head_at, 0, IMAGENET_MEAN, IMAGENET_STD, "", where)


def _slice(images: Tensor | ImageSource, start: int, stop: int) -> Tensor | list[Tensor]:
    if isinstance(images, Tensor):
        return images[start:stop]
    return [images[i] for i in range(start, min(stop, len(images)))]


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        where = torch.device(device)
        torch.empty(0, device=where)
    except (RuntimeError, AssertionError):  # no such name, or not built for it
        raise InputError(
            f"device {device!r} is not available on this machine: use 'cpu' or 'auto'"
        ) from None
    return where
