"""Networks by name: building them, reading their weights, detaching their heads."""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from t2v.errors import FileError, InputError

SYNTHETIC_WEIGHTS = Path(__file__).with_name("synthetic.safetensors")
IMAGENET_WEIGHTS = Path(__file__).with_name("imagenet.safetensors")
PACKAGED = {"synthetic": SYNTHETIC_WEIGHTS, "imagenet": IMAGENET_WEIGHTS}
KNOWN = "'imagenet', 'synthetic' or a torchvision classifier, e.g. 'resnet34'"
_IMAGE_SIZES = {"synthetic": 48, "imagenet": 64}  # pixels


def default_image_size(name: str) -> int:
    """Image size in pixels: that of the libraries for the package's networks, 224 otherwise."""
    return _IMAGE_SIZES.get(name, 224)


def torchvision_name(name: str) -> str:
    """The architecture of a network by torchvision's name: "imagenet" has that of its file."""
    if name != "imagenet":
        return name
    described = IMAGENET_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8")
    return str(json.loads(described)["architecture"])


def read_state_dict(name: str, weights: str | Path | None) -> dict[str, Tensor]:
    """The state dict of a network, in float32 where it is floating point.

    Args:
        name: "imagenet", "synthetic" or the name of a torchvision classifier.
        weights: a `.safetensors` or `.pth` file; `None`: the package's for "imagenet" and
            "synthetic", else `NAME.safetensors` in the folder `T2V_WEIGHTS`, else torchvision's.

    Raises:
        InputError: for an unknown network.
        FileError: if the weights cannot be read or downloaded, or are not a state dict.
    """
    if weights is None:
        weights = PACKAGED.get(name)
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
            other = [str(k) for k, v in state.items() if not isinstance(v, Tensor)]
        except Exception as error:  # pickle, zip and safetensors each have their own
            reason = str(error).splitlines()[0]
            raise FileError(f"weights {path}: not a readable state dict ({reason})") from None
        if other:
            raise FileError(
                f"weights {path}: not a state dict: {other[0]!r} is no tensor (of a checkpoint, "
                "save the state dict alone)"
            )
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _torchvision_state(name: str) -> dict[str, Tensor]:
    from torchvision import models

    if name not in models.list_models(models):
        raise InputError(f"unknown probe {name!r}: {KNOWN}")
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
    """Load a state dict without metadata; counters missing from old files stay as they are.

    Raises:
        RuntimeError: PyTorch's own, where names or shapes do not fit.
    """
    present = network.state_dict()
    complete = OrderedDict(state)
    # MNASNet asks for its version
    complete._metadata = present._metadata  # type: ignore[attr-defined]
    for name, value in present.items():
        if name.endswith("num_batches_tracked"):  # not in files from before PyTorch 0.4.1
            complete.setdefault(name, value)
    network.load_state_dict(complete)


def build_network(name: str) -> nn.Module:
    """A network with its classifier and random weights; torch's random state is left as it was.

    Raises:
        InputError: for an unknown network, or one without convolutions.
    """
    with torch.random.fork_rng(devices=[]):
        if name == "synthetic":
            from t2v.pretrained.synthetic_net import SyntheticNet

            return SyntheticNet(num_classes=1)
        from torchvision import models

        options = {}
        if name in ("googlenet", "inception_v3"):  # as torchvision sets them for its own weights
            options = {"transform_input": True, "init_weights": False}
        try:
            network = models.get_model(torchvision_name(name), weights=None, **options)
        except ValueError:
            raise InputError(f"unknown probe {name!r}: {KNOWN}") from None
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        raise InputError(f"probe {name!r} has no convolutions: choose a convolutional network")
    return network


def detach_head(network: nn.Module, state: dict[str, Tensor]) -> str:
    """Remove the classifier from a network and, if it is there, from its state dict, in place.

    Returns:
        The path of the `Identity` that took its place.
    """
    for auxiliary in ("aux1", "aux2", "AuxLogits"):  # of GoogLeNet and Inception
        if hasattr(network, auxiliary):
            setattr(network, auxiliary, None)
            network.aux_logits = False  # type: ignore[assignment]
            for key in [key for key in state if key.startswith(auxiliary + ".")]:
                del state[key]
    linear = [path for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    if linear:
        head_at = old = linear[-1]
        network.set_submodule(head_at, nn.Identity())
    else:  # SqueezeNet: a convolution, then the mean, equals the mean, then a linear layer
        head_at, old = "classifier.head", "classifier.1"
        network.classifier = nn.Sequential()
        network.classifier.add_module("pool", nn.AdaptiveAvgPool2d(1))
        network.classifier.add_module("flatten", nn.Flatten())
        network.classifier.add_module("head", nn.Identity())
    for key in (f"{old}.weight", f"{old}.bias"):
        state.pop(key, None)  # packaged weights have no classifier
    return head_at


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """sha256 of the names and values of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name].numpy()).data)
    return digest.hexdigest()
