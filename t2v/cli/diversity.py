"""The command `t2v diversity`: how unlike each other the classes of a folder are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from t2v.cli.options import (
    Device,
    Images,
    ImageSize,
    Json,
    ProbeName,
    Seed,
    Weights,
    read_task,
    say,
)


def diversity(
    images: Images,
    probe: ProbeName = "imagenet",
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    rounds: Annotated[
        int, typer.Option(help="Number of times that the classes are divided.", min=2)
    ] = 5,
    per_class: Annotated[
        int, typer.Option(help="Largest number of images of a class in a batch.", min=2)
    ] = 20,
    max_images: Annotated[
        int,
        typer.Option(help="Read at most this many images, drawn evenly over classes.", min=2),
    ] = 5000,
    as_json: Json = False,
    seed: Seed = 0,
) -> None:
    """Measure how unlike each other the classes of a folder are, by Task2Vec.

    The mean distance of small tasks with other classes (the diversity coefficient), less that of
    tasks with the same classes and other images (its floor).
    """
    from t2v.candidates.diversity import diversity as measured
    from t2v.probe import load_probe

    network = load_probe(probe, weights, image_size, device)
    progress = not as_json
    task = read_task(images, network, max_images=max_images, seed=seed, progress=progress)
    found = measured(
        task, network, rounds=rounds, per_class=per_class, seed=seed, progress=progress
    )
    if as_json:
        plain = asdict(found) | {"diversity": found.diversity._asdict(), "probe": network.name}
        print(json.dumps({"task": task.name, **plain}))
        return
    value, low, high = found.diversity
    say(
        f"{task.name}: diversity {value:.3f} [{low:.3f}, {high:.3f}]. Tasks of {found.classes} "
        f"classes with {found.per_class} images each are at distance {found.between:.3f} if their "
        f"classes differ, and at {found.floor:.3f} if only their images do ({found.rounds} rounds "
        f"of {found.batches} pairs, {network.name} at {network.image_size} px)."
    )
    if low <= 0:
        say("That is not more than what other images of the same classes make.")
