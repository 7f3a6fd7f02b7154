"""Weights of published networks: from a file, from torch's cache, or downloaded."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from t2v.candidates.network import Network, OwnHead
from t2v.candidates.published import TIMM, Candidate
from t2v.errors import FileError
from t2v.pretrained.architectures import IMAGENET_WEIGHTS, read_state_dict, state_sha256
from t2v.probe import Probe, load_probe

TIMEOUT = 20  # seconds without a byte after which a download is given up
MARGIN = 256 / 224  # of a resized image to its crop, where a network's own size is not taken


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
def _patience() -> Iterator[None]:
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
