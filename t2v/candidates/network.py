"""A published network that is ready: from images to features, and to its own head's classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from t2v._numerics.precision import full_precision
from t2v.candidates.published import Candidate
from t2v.errors import InputError
from t2v.experts.hog import Hog
from t2v.pretrained.architectures import state_sha256
from t2v.probe import Probe

BATCH = 1_000_000  # input values at once on the CPU, which fit its caches

Computed = tuple[NDArray[np.float32], "NDArray[np.float16] | None"]


@dataclass(frozen=True)
class OwnHead:
    """The classifier that a network was published with.

    Attributes:
        weight: `[Z, D]`.
        bias: `[Z]`.
        maps_at: path of the module whose input are the maps that it is applied to, before their
            mean is taken (SqueezeNet, after a ReLU); `None`: it is applied to the features.
    """

    weight: Tensor
    bias: Tensor
    maps_at: str | None = None

    def probabilities(self, inputs: Tensor) -> Tensor:
        """`[N, Z]`, from features `[N, D]` or maps `[N, D, h, w]`."""
        if self.maps_at is None:
            return torch.softmax(nn.functional.linear(inputs, self.weight, self.bias), 1)
        maps = nn.functional.conv2d(inputs, self.weight[:, :, None, None], self.bias)
        return torch.softmax(maps.relu().mean((2, 3)), 1)


@dataclass(frozen=True, eq=False)
class Network:
    """A candidate with its weights.

    Attributes:
        candidate: what is known about it.
        probe: the network without its head, with size, mean and standard deviation of its images.
        head: its own head; `None`: the file has none.
        resize: side to which the shorter side of an image is resized before the centre crop.
        bicubic: whether it is resized by bicubic interpolation, not bilinear.
    """

    candidate: Candidate
    probe: Probe
    head: OwnHead | None
    resize: int
    bicubic: bool = False

    @property
    def name(self) -> str:
        """Name of the candidate."""
        return self.candidate.name

    @property
    def key(self) -> str:
        """What decides its features and probabilities: weights, head and preprocessing."""
        head = state_sha256({"w": self.head.weight.cpu()}) if self.head else ""
        p = self.probe
        known = (p.sha256, head, self.resize, p.image_size, p.mean, p.std, self.bicubic)
        return hashlib.sha256(repr(known).encode()).hexdigest()

    @torch.no_grad()
    @full_precision()
    def compute(self, images: Sequence[Image.Image]) -> Computed:
        """Features `[N, D]` and, if it has a head, probabilities of its own classes `[N, Z]`.

        Args:
            images: N images in RGB, squares of side `resize`.
        """
        size, crop = self.probe.image_size, (self.resize - self.probe.image_size) // 2
        box = (crop, crop, crop + size, crop + size)
        pixels = torch.stack(
            [torch.from_numpy(np.array(i.crop(box)).transpose(2, 0, 1)) for i in images]
        )
        step = max(1, (40 * BATCH if self.probe.device.type == "cuda" else BATCH) // (3 * size**2))
        parts = [self._batch(batch) for batch in pixels.split(step)]
        features = torch.cat([f for f, _ in parts]).numpy()
        if self.head is None:
            return features, None
        return features, torch.cat([p for _, p in parts if p is not None]).half().numpy()

    def _batch(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        seen: list[Tensor] = []
        hook = None
        if self.head is not None and self.head.maps_at is not None:
            module = self.probe.network.get_submodule(self.head.maps_at)
            hook = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            features = self.probe.network(self.probe.preprocess(pixels)).flatten(1)
        except (AssertionError, RuntimeError) as error:  # torchvision's transformers assert
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.name} cannot take images of {self.probe.image_size} px ({reason}): leave "
                "out --image-size, or this network"
            ) from None
        finally:
            if hook is not None:
                hook.remove()
        if self.head is None:
            return features.cpu(), None
        return features.cpu(), self.head.probabilities(seen[0] if seen else features).cpu()


class HandMade:
    """HOG features in place of a network: what is reached without any training.

    Args:
        resize: side to which the shorter side of an image is resized first.
    """

    name = "HOG"
    candidate = Candidate("HOG", 0, None, "no weights", None)

    def __init__(self, resize: int = 256) -> None:
        self.resize, self.bicubic = resize, False
        self.hog = Hog(min(96, resize))
        self.key = hashlib.sha256(f"{self.hog.sha256} {resize}".encode()).hexdigest()

    def compute(self, images: Sequence[Image.Image]) -> Computed:
        """Features `[N, 900]`, and no probabilities.

        Args:
            images: N images in RGB, squares of side `resize`.
        """
        pixels = torch.stack([torch.from_numpy(np.array(i).transpose(2, 0, 1)) for i in images])
        return self.hog.features(pixels).numpy(), None
