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
SHUFFLES = 20
SIZE = 96  # pixels: enough for photographs of 64, and some seconds on any machine


def run(as_json: bool, device: str, seed: int) -> None:
    """Compare the package's network with HOG features, with the labels and with shuffled ones."""
    [task] = [task for task in load_library("open") if task.name == TASK]
    [candidate] = listed([NETWORK])
    [network], _ = load_networks([replace(candidate, weights=IMAGENET_WEIGHTS)], SIZE, device)
    labels, rng = task.labels.numpy(), np.random.default_rng(seed)
    images = TensorImages(torch.as_tensor(task.images))
    found = compare(measure(images, [network, HandMade(network.resize)]), labels, seed=seed)
    alone = measure(images, [network])
    shuffled = [
        compare(alone, rng.permutation(labels), seed=seed, evidence=False) for _ in range(SHUFFLES)
    ]
    errors = [comparison.errors[0].value for comparison in shuffled]
    refused = [comparison for comparison in shuffled if not comparison.beats_chance]
    if as_json:
        of_shuffled = {
            "mean_error": float(np.mean(errors)),
            "least_error": min(errors),
            "largest_error": max(errors),
            "times": SHUFFLES,
            "times_without_answer": len(refused),
        }
        print(json.dumps(_plain(found) | {"shuffled": of_shuffled}))
        return
    say(
        f"{len(labels)} photographs of {', '.join(task.classes[:-1])} and {task.classes[-1]}, "
        "which come with t2v. How well does a published network tell them apart?\n"
    )
    say(f"1. {_row(found)}\n   {network_verdict(found)}\n")
    say(
        f"2. The same photographs, {SHUFFLES} times with the names shuffled among them. Now "
        f"SqueezeNet errs on {np.mean(errors):.1%} of them on average (from {min(errors):.1%} to "
        f"{max(errors):.1%}): it has fallen to a guess. {len(refused)} of {SHUFFLES} times there "
        "is no answer, as it should be; by luck alone, one in twenty may get one."
    )
    for comparison in refused[:1]:
        say(f"   {network_verdict(comparison)}")
    say(
        "\nYour own images: t2v recommend FOLDER, with one sub-folder of images for each class. It "
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
