"""The probes that chapter 13 compares with the usual one of a library."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from t2v.book.chapter import Chapter
from t2v.probe import Probe, load_probe, random_probe

STAGES = 4
"""Stages of the probe `synthetic`."""


def untrained(like: Probe, seed: int = 0) -> Probe:
    """A probe of the same architecture with random weights, as torchvision draws them.

    Args:
        like: a probe without batch normalisation, whose statistics would have to be measured.
        seed: seed of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = random_probe(like.name, "cpu")
    return like.with_weights(drawn.network.state_dict())


def up_to(probe: Probe, stage: int) -> Probe:
    """The probe `synthetic`, cut after a stage, whose mean over the image becomes the features.

    Args:
        probe: the whole network.
        stage: the last stage that is left, 1 to `STAGES`.
    """
    network = copy.deepcopy(probe.network)
    for later in range(stage + 1, STAGES + 1):
        setattr(network, f"layer{later}", nn.Identity())
    mark = hashlib.sha256(f"{probe.sha256} {stage}".encode()).hexdigest()
    return replace(probe, network=network, sha256=mark)


def compared_probes(chapter: Chapter) -> dict[str, Probe]:
    """Name of each probe to the probe; the last is that from which the experts start.

    On the open zoo one thing changes at a time: the weights, or the size of the images. On worlds
    it is the depth. On photographs to fetch they are architectures with weights from ImageNet.
    """
    usual = chapter.probe
    options: dict[str, Any] = {"device": chapter.device}
    if chapter.name == "open":
        return {
            "random weights": untrained(usual, chapter.seed),
            "drawings": load_probe("synthetic", **options),
            "ImageNet at 48 px": replace(usual, image_size=48),
            "ImageNet at 96 px": replace(usual, image_size=96),
            "ImageNet at 64 px": usual,
        }
    if chapter.photographs:
        others = ("squeezenet1_1", "mobilenet_v2", "resnet50")
        probes = {name: load_probe(name, image_size=64, **options) for name in others}
        return probes | {"resnet18": usual}
    depths = {1: "stage 1", **{s: f"stages 1 to {s}" for s in range(2, STAGES)}}
    return {name: up_to(usual, s) for s, name in depths.items()} | {"all stages": usual}
