"""Probe networks: a frozen feature extractor, its preprocessing, and a place for a head."""

from __future__ import annotations

import copy
import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from t2v.errors import FileError, InputError
from t2v.head import Head
from t2v.precision import full_precision
from t2v.task import ImageSource

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LAYOUT = torch.channels_last  # forward and backward take a fifth less time on the CPU
SYNTHETIC_WEIGHTS = Path(__file__).parent / "weights" / "synthetic.safetensors"


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
    state = _read_state(name, weights)
    network = _build(name)
    try:
        head_at = _take_head_off(network, state)
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
        sha256=_sha256(state),
        device=where,
    )


def _read_state(name: str, weights: str | Path | None) -> dict[str, Tensor]:
    """The state dict, in float32 where it is floating point."""
    if weights is None and name == "synthetic":
        weights = SYNTHETIC_WEIGHTS
    folder = os.environ.get("T2V_WEIGHTS")
    if weights is None and folder and (Path(folder) / f"{name}.safetensors").exists():
        weights = Path(folder) / f"{name}.safetensors"
    if weights is None:
        state = _torchvision_state(name)
    else:
        path = Path(weights)
        try:
            if path.suffix == ".safetensors":
                state = load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
            odd = [str(k) for k, v in state.items() if not isinstance(v, Tensor)]
        except Exception as error:  # pickle, zip and safetensors each have their own
            reason = str(error).splitlines()[0]
            raise FileError(f"weights {path}: not a readable state dict ({reason})") from None
        if odd:
            raise FileError(
                f"weights {path}: not a state dict: {odd[0]!r} is no tensor (of a checkpoint, save "
                "the state dict alone)"
            )
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _torchvision_state(name: str) -> dict[str, Tensor]:
    from torchvision import models

    if name not in models.list_models(models):
        raise InputError(
            f"unknown probe {name!r}: 'synthetic' or a torchvision classifier, e.g. 'resnet34'"
        )
    entries = models.get_model_weights(name)
    entry = getattr(entries, "IMAGENET1K_V1", entries.DEFAULT)  # V1: those of the paper's time
    try:
        return dict(entry.get_state_dict(check_hash=True, progress=False))
    except OSError as error:
        raise FileError(
            f"weights of {name}: not in torchvision's cache, and the download failed ({error}): "
            "give `weights`, a .safetensors or .pth file"
        ) from None


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads a state dict without metadata; counters that old files do not have stay as they are.

    Raises:
        RuntimeError: PyTorch's own, where names or shapes do not fit.
    """
    own = network.state_dict()
    whole = OrderedDict(state)
    whole._metadata = own._metadata  # MNASNet asks for its version
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):  # not in files from before PyTorch 0.4.1
            whole.setdefault(name, value)
    network.load_state_dict(whole)


def _build(name: str) -> nn.Module:
    """The whole network, its weights still random."""
    with torch.random.fork_rng(devices=[]):
        if name == "synthetic":
            from t2v.networks import SyntheticNet

            return SyntheticNet(num_classes=1)
        from torchvision import models

        options = {}
        if name in ("googlenet", "inception_v3"):  # as torchvision sets them for its own weights
            options = {"transform_input": True, "init_weights": False}
        try:
            network = models.get_model(name, weights=None, **options)
        except ValueError:
            raise InputError(
                f"unknown probe {name!r}: 'synthetic' or a torchvision classifier, e.g. 'resnet34'"
            ) from None
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        raise InputError(f"probe {name!r} has no convolutions: choose a convolutional network")
    return network


def _take_head_off(network: nn.Module, state: dict[str, Tensor]) -> str:
    """Removes the classifier from network and state; returns the path where a head belongs."""
    for training_aid in ("aux1", "aux2", "AuxLogits"):  # of GoogLeNet and Inception
        if hasattr(network, training_aid):
            setattr(network, training_aid, None)
            network.aux_logits = False
            for key in [key for key in state if key.startswith(training_aid + ".")]:
                del state[key]
    linear = [path for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    if linear:
        head_at = old = linear[-1]
        network.set_submodule(head_at, nn.Identity())
    else:  # SqueezeNet: convolution, then mean; the mean first makes it a linear layer
        head_at, old = "classifier.head", "classifier.1"
        network.classifier = nn.Sequential()
        network.classifier.add_module("pool", nn.AdaptiveAvgPool2d(1))
        network.classifier.add_module("flatten", nn.Flatten())
        network.classifier.add_module("head", nn.Identity())
    for key in (f"{old}.weight", f"{old}.bias"):
        del state[key]
    return head_at


def _sha256(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name].numpy()))
    return digest.hexdigest()


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
