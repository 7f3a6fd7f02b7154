"""Probe networks: a frozen feature extractor, its preprocessing, and a place for the head."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from t2v._numerics.convolutions import convolutions
from t2v._numerics.precision import full_precision
from t2v.errors import FileError, InputError
from t2v.head import Head
from t2v.pretrained.architectures import (
    build_network,
    default_image_size,
    detach_head,
    fill,
    read_state_dict,
    state_sha256,
)
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
        head_at: path of the module that the head replaces, an `Identity`.
        image_size: S, pixels.
        mean: mean of each channel in the training images, in [0, 1].
        std: standard deviation of each channel in the training images.
        sha256: checksum of the weights' names and values, by which embeddings name their probe.
        device: device of the network.
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
        return {name: conv.out_channels for name, conv in convolutions(self.network).items()}

    def preprocess(self, images: Tensor | ImageSource) -> Tensor:
        """Images as the network takes them: shorter side resized, centre crop, standardised.

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
        """The head's input for each image.

        Args:
            images: uint8 `[N, 3, h, w]`, or a source of uint8 `[3, h, w]`.
            batch_size: number of images at once; default: about a million input values on the CPU,
                which fit its caches, forty million on a GPU.

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
        """The network with a head: float `[N, 3, S, S]` to logits `[N, K]`; same layer names."""
        linear = nn.Linear(head.weight.shape[1], head.weight.shape[0])
        linear.load_state_dict({"weight": head.weight, "bias": head.bias})
        network = copy.deepcopy(self.network)
        network.set_submodule(self.head_at, linear.requires_grad_(False).to(self.device))
        return network.eval()

    def with_weights(self, state: Mapping[str, Tensor]) -> Probe:
        """A probe of the same architecture with the weights of a state dict (without head).

        Raises:
            RuntimeError: from PyTorch, if names or shapes do not fit.
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
        name: "imagenet" (SqueezeNet 1.1, trained on ImageNet) or "synthetic" (a small residual
            network), which come with the package; or any torchvision classifier with convolutions,
            e.g. "resnet34", the paper's.
        weights: a state dict, `.safetensors` or `.pth`. Default: the package's for "imagenet" and
            "synthetic"; else `NAME.safetensors` in the folder named by the environment variable
            `T2V_WEIGHTS`, else torchvision's (from its cache, or downloaded).
        image_size: pixels; default: 64 for "imagenet", 48 for "synthetic", 224 otherwise.
        device: a torch device; "auto": CUDA if available.

    Raises:
        InputError: for an unknown network, one without convolutions, or a missing device.
        FileError: if the weights cannot be read or do not fit the network.

    Examples:
        >>> load_probe("synthetic", device="cpu")
        Probe('synthetic', 720 filters in 12 layers, 48 px, cpu)
    """
    state = read_state_dict(name, weights)
    network = build_network(name)
    try:
        head_at = detach_head(network, state)
        fill(network, state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FileError(f"weights {weights or 'of ' + name} do not fit {name}: {reason}") from None
    device = _device(device)
    return Probe(
        name=name,
        network=_ready(network, device),
        head_at=head_at,
        image_size=image_size or default_image_size(name),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        sha256=state_sha256(state),
        device=device,
    )


def random_probe(name: str, device: str | torch.device = "auto") -> Probe:
    """A probe of an architecture with random weights, to be replaced by `Probe.with_weights`."""
    network, device = build_network(name), _device(device)
    head_at = detach_head(network, network.state_dict())
    return Probe(name, _ready(network, device), head_at, 0, IMAGENET_MEAN, IMAGENET_STD, "", device)


def _ready(network: nn.Module, device: torch.device) -> nn.Module:
    network = network.eval().requires_grad_(False)
    return network.to(device, memory_format=_LAYOUT)  # type: ignore[call-overload]


def _slice(images: Tensor | ImageSource, start: int, stop: int) -> Tensor | list[Tensor]:
    if isinstance(images, Tensor):
        return images[start:stop]
    return [images[i] for i in range(start, min(stop, len(images)))]


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError):  # no such name, or not built for it
        raise InputError(
            f"device {device!r} is not available on this machine: use 'cpu' or 'auto'"
        ) from None
