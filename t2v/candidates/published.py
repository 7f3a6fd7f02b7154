"""Published networks by name: size, licence, accuracy, and where their weights are."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path

import torch

from t2v.errors import FileError, InputError
from t2v.pretrained.architectures import IMAGENET_WEIGHTS, torchvision_name

CURATED = (
    "squeezenet1_1",
    "mobilenet_v3_small",
    "mobilenet_v2",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "convnext_tiny",
)
"""Networks that are compared if none are named: of several designs, from small to large."""

TIMM = "timm:"
"""What a name starts with whose network comes from the package timm."""

SUFFIXES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class Candidate:
    """A published network, before it is loaded.

    Attributes:
        name: torchvision's name, or "timm:" and timm's.
        parameters: number of its weights, with the classifier; `None`: known once it is loaded.
        top1: share of ImageNet's validation images that it classifies rightly, as published for
            the architecture, or as the folder of the weights states; `None`: not stated.
        licence: licence of the weights, as far as it is stated.
        weights: file of the weights; `None`: to be downloaded.
    """

    name: str
    parameters: int | None
    top1: float | None
    licence: str
    weights: Path | None


def published(
    names: Sequence[str] | None = None,
    *,
    weights: str | Path | None = None,
    max_parameters: float | None = None,
    licence: str | None = None,
) -> list[Candidate]:
    """Published networks, the smallest first.

    Weights are looked for in the folder `weights`, in the folder that `T2V_WEIGHTS` names, in
    torch's cache and, for `squeezenet1_1`, in the package.

    Args:
        names: names of networks; default: `CURATED`.
        weights: folder with `NAME.safetensors`, `.pth` or `.pt`; a `manifest.json` in it may state
            `licence` and `stated_imagenet_val_top1` (per cent) of each name.
        max_parameters: largest number of weights; networks of unknown size are kept.
        licence: words, separated by commas, one of which a licence must contain, in any case.

    Raises:
        InputError: a name that is unknown or given twice, timm's where it is not installed, or no
            network left.
        FileError: no such folder.
    """
    if weights is not None and not Path(weights).is_dir():
        raise FileError(f"{weights}: no such folder of weights")
    names = [torchvision_name(name) for name in (CURATED if names is None else names)]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise InputError(f"candidates: {twice[0]!r} is named twice")
    found = [_candidate(name, weights) for name in names]
    words = [word.strip().lower() for word in (licence or "").split(",") if word.strip()]
    left = [
        candidate
        for candidate in found
        if (max_parameters is None or (candidate.parameters or 0) <= max_parameters)
        and (not words or any(word in candidate.licence.lower() for word in words))
    ]
    if not left:
        asked = []
        if max_parameters is not None:
            asked.append(f"at most {max_parameters:,.0f} parameters")
        if words:
            asked.append(f"a licence with {' or '.join(words)}")
        known = "; ".join(f"{c.name}: {c.parameters or 0:,}, {short(c.licence)}" for c in found)
        raise InputError(f"candidates: none has {' and '.join(asked) or 'a name'} ({known})")
    return sorted(left, key=lambda c: (c.parameters is None, c.parameters))


def short(licence: str) -> str:
    """The first words of a licence, up to what is said in brackets."""
    return licence.split(" (")[0].split(";")[0].strip()


def _candidate(name: str, folder: str | Path | None) -> Candidate:
    if name.startswith(TIMM):
        return _of_timm(name, folder)
    from torchvision import models

    if name not in models.list_models(models):
        raise InputError(
            f"candidates: unknown network {name!r}; give torchvision classifiers, e.g. "
            f"{', '.join(CURATED[:3])}, or timm:NAME"
        )
    entries = models.get_model_weights(name)
    entry = getattr(entries, "IMAGENET1K_V1", entries.DEFAULT)
    top1 = entry.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100
    parameters = int(entry.meta["num_params"])
    file, stated = _in_folders(name, folder)
    if file is not None:
        licence = stated.get("licence") or "not stated"
        percent = stated.get("stated_imagenet_val_top1")
        return Candidate(name, parameters, percent / 100 if percent else top1, licence, file)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
    if not cached.is_file() and name == torchvision_name("imagenet"):
        packaged = json.loads(IMAGENET_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
        return Candidate(name, parameters, top1, packaged["licence"], IMAGENET_WEIGHTS)
    licence = "BSD-3-Clause (torchvision's)"
    return Candidate(name, parameters, top1, licence, cached if cached.is_file() else None)


def _in_folders(name: str, folder: str | Path | None) -> tuple[Path | None, dict]:
    """The file of a network's weights in the two folders, and what the manifest says of it."""
    for place in (folder, environ.get("T2V_WEIGHTS")):
        for suffix in SUFFIXES if place else ():
            file = Path(str(place)) / f"{name}{suffix}"
            if file.is_file():
                manifest = file.with_name("manifest.json")
                stated = {}
                if manifest.is_file():
                    stated = json.loads(manifest.read_text(encoding="utf-8"))
                return file, stated.get("files", stated).get(name, {})
    return None, {}


def _of_timm(name: str, folder: str | Path | None) -> Candidate:
    plain = name.removeprefix(TIMM)
    if importlib.util.find_spec("timm") is None:
        raise InputError(f"candidates: {name} needs the package timm: pip install 't2v[timm]'")
    import timm

    if not timm.is_model(plain.split(".")[0]):
        raise InputError(f"candidates: timm has no network {plain!r}")
    file, stated = _in_folders(plain, folder)
    config = timm.get_pretrained_cfg(plain)
    licence = stated.get("licence") or getattr(config, "license", None) or "not stated"
    return Candidate(name, None, None, licence, file)
