"""The command `t2v demo`: an answer on images that come with the package, and one without sense."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from t2v.candidates import Comparison, HandMade, TensorImages, compare, load_networks, measure
from t2v.candidates import published as listed
from t2v.cli.network_words import interval, network_verdict
from t2v.cli.options import say
from t2v.libraries import load_library
from t2v.pretrained.architectures import IMAGENET_WEIGHTS

TASK = "five flowers"
NETWORK = "squeezenet1_1"
SIZE = 96  # pixels: enough for photographs of 64, and some seconds on any machine


def run(as_json: bool, device: str, seed: int) -> None:
    """Compare the package's network with HOG features, with the labels and with shuffled ones."""
    [task] = [task for task in load_library("open") if task.name == TASK]
    [candidate] = listed([NETWORK])
    [network], _ = load_networks([replace(candidate, weights=IMAGENET_WEIGHTS)], SIZE, device)
    labels = task.labels.numpy()
    shuffled = np.random.default_rng(seed).permutation(labels)
    measured = measure(
        TensorImages(torch.as_tensor(task.images)), [network, HandMade(network.resize)]
    )
    found = {
        "labels": compare(measured, labels, seed=seed, evidence=False),
        "shuffled": compare(measured, shuffled, seed=seed, evidence=False),
    }
    if as_json:
        print(json.dumps({name: _plain(comparison) for name, comparison in found.items()}))
        return
    say(
        f"{len(labels)} photographs of {', '.join(task.classes[:-1])} and {task.classes[-1]}, "
        "which come with t2v. How well does a published network tell them apart?\n"
    )
    say(f"1. {_row(found['labels'])}\n   {network_verdict(found['labels'])}\n")
    say(
        f"2. The same photographs, with the names of the flowers shuffled among them. "
        f"{_row(found['shuffled'])}\n   {network_verdict(found['shuffled'])}\n"
    )
    say(
        "Your own images: t2v recommend FOLDER, with one sub-folder of images for each class. It "
        "compares several networks."
    )


def _row(comparison: Comparison) -> str:
    c, [error] = comparison, comparison.errors
    hand = "" if c.by_hand is None else f", HOG features on {c.by_hand.value:.1%}"
    return (
        f"SqueezeNet errs on {error.value:.1%} {interval(error)} of them{hand}, a guess on "
        f"{c.chance:.1%}."
    )


def _plain(comparison: Comparison) -> dict[str, Any]:
    [error] = comparison.errors
    return {
        "error": error.value,
        "low": error.low,
        "high": error.high,
        "hog": None if comparison.by_hand is None else comparison.by_hand.value,
        "chance": comparison.chance,
        "answer": comparison.take,
        "images": comparison.images,
    }
