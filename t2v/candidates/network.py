"""A published network that is ready: from images to features, and to its own head's classes."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from t2v._numerics.precision import full_precision
from t2v.candidates.published import TIMM, Candidate
from t2v.errors import FileError, InputError
from t2v.experts.hog import Hog
from t2v.pretrained.architectures import IMAGENET_WEIGHTS, read_state_dict, state_sha256
from t2v.probe import Probe, load_probe

BATCH = 1_000_000  # input values at once on the CPU, which fit its caches
TIMEOUT = 20  # seconds without a byte after which a download is given up
MARGIN = 256 / 224  # of a resized image to its crop, where a network's own size is not taken

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


def load_networks(
    candidates: Sequence[Candidate], image_size: int | None = None, device: str = "auto"
) -> tuple[list[Network], dict[str, str]]:
    """Load networks; those whose weights are neither here nor can be downloaded are named.

    Once a download has failed, no other is tried.

    Args:
        candidates: networks from `published`.
        image_size: pixels; default: each network's own.
        device: a torch device; "auto": CUDA if available.

    Returns:
        The networks, and the reason why by the name of each that is missing.

    Raises:
        InputError: a missing device.
        FileError: a file of weights that cannot be read or does not fit.
    """
    networks, missing, reason = [], {}, ""
    for candidate in candidates:
        if candidate.weights is None and reason:
            missing[candidate.name] = reason
            continue
        try:
            networks.append(_load(candidate, image_size, device))
        except FileError as error:
            if candidate.weights is not None:
                raise
            reason = missing[candidate.name] = str(error)
    return networks, missing


def _load(candidate: Candidate, image_size: int | None, device: str) -> Network:
    if candidate.name.startswith(TIMM):
        return _load_timm(candidate, image_size, device)
    from torchvision import models
    from torchvision.transforms import InterpolationMode

    name, entries = candidate.name, models.get_model_weights(candidate.name)
    own = getattr(entries, "IMAGENET1K_V1", entries.DEFAULT).transforms()
    size, resize = own.crop_size[0], own.resize_size[0]
    if image_size is not None:
        size, resize = image_size, round(image_size * resize / size)
    with _patience():
        state = read_state_dict(name, candidate.weights)
        probe = load_probe(name, candidate.weights, size, device)
    bicubic = own.interpolation == InterpolationMode.BICUBIC
    return Network(candidate, probe, _own_head(probe, state), resize, bicubic)


def _own_head(probe: Probe, state: dict[str, Tensor]) -> OwnHead | None:
    """The weights that the probe has left out, if they are those of one layer."""
    known = probe.network.state_dict()
    left = {k: v for k, v in state.items() if k not in known and not k.lower().startswith("aux")}
    weights = [k for k in left if k.endswith(".weight")]
    if len(weights) != 1 or len(left) != 2:
        return None
    weight, bias = left[weights[0]], left[weights[0].removesuffix("weight") + "bias"]
    squeezed = weight.ndim == 4
    return OwnHead(
        weight.flatten(1).to(probe.device),
        bias.to(probe.device),
        "classifier.pool" if squeezed else None,
    )


def _load_timm(candidate: Candidate, image_size: int | None, device: str) -> Network:
    import timm

    name = candidate.name.removeprefix(TIMM)
    options: dict[str, Any] = {"pretrained": candidate.weights is None}
    if candidate.weights is not None:
        options["checkpoint_path"] = str(candidate.weights)
    try:
        with _patience():
            model = timm.create_model(name, **options)
    except Exception as error:  # hub, network and file errors of several packages
        reason = str(error).splitlines()[0]
        raise FileError(f"weights of {candidate.name}: {reason}") from None
    config = timm.data.resolve_model_data_config(model)
    parameters = sum(p.numel() for p in model.parameters())
    last, head_at = model.get_classifier(), model.pretrained_cfg["classifier"]
    model.reset_classifier(0)
    probe = load_probe("synthetic", device=device)  # for its device; all else is replaced
    size = image_size or config["input_size"][-1]
    network = model.eval().requires_grad_(False).to(probe.device)
    state = network.state_dict()
    probe = replace(
        probe,
        name=candidate.name,
        network=network,
        head_at=head_at,
        image_size=size,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        sha256=state_sha256({k: v.cpu() for k, v in state.items()}),
    )
    head = None
    if isinstance(last, nn.Linear) and last.bias is not None:
        weight, bias = last.weight.detach(), last.bias.detach()
        head = OwnHead(weight.to(probe.device), bias.to(probe.device))
    resize = round(size / config.get("crop_pct", 1 / MARGIN))
    known = replace(candidate, parameters=candidate.parameters or parameters)
    return Network(known, probe, head, resize, config.get("interpolation") == "bicubic")


@contextmanager
def _patience():
    """A download that is silent for `TIMEOUT` seconds fails, in place of waiting for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def packaged(network: Network) -> bool:
    """Whether the weights are those that come with the package."""
    return network.candidate.weights == IMAGENET_WEIGHTS
