"""Train the probe `synthetic` on a procedural world that no library uses.

The part that ImageNet plays for photographs is played here by creatures of several worlds (their
species are the classes) and by garments (one softmax per attribute group), under one `fc`. The
worlds' seeds start at `FIRST_SEED`; libraries are used with small ones.

    python -m data_scripts.probe.train            # 8 minutes on two cores
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from data_scripts.probe.equalise_layers import equalise
from t2v.architectures import SYNTHETIC_WEIGHTS
from t2v.libraries import load_library
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES
from t2v.libraries.worlds.garments.shape import draw_garments
from t2v.libraries.worlds.wardrobe import wardrobe_garments
from t2v.pretrained.synthetic_net import SyntheticNet
from t2v.probe import IMAGENET_MEAN, IMAGENET_STD

FIRST_SEED = 10**6
BATCH = 64


@dataclass(frozen=True)
class World:
    """Labelled pictures for one network with several softmaxes.

    Attributes:
        images: uint8 `[N, 3, 48, 48]`.
        targets: int64 `[N, H]`: the class under each softmax, -1 where it does not apply.
        heads: number of classes of each softmax, H of them; `fc` has their sum.
        test: bool `[N]`, held out.
    """

    images: Tensor
    targets: Tensor
    heads: list[int]
    test: Tensor


def draw_world(worlds: int, garments: int, scale: str = "laptop", first: int = FIRST_SEED) -> World:
    """Draw the pictures the probe learns from.

    Args:
        worlds: number of phylogenies; the species of each are classes of one softmax.
        garments: number of garments; one in ten is held out.
        scale: of the phylogenies.
        first: seed of the first world; the following ones count on.
    """
    held_out = garments // 10
    clothes = wardrobe_garments(garments - held_out, held_out, first)
    images = [draw_garments(clothes)]
    species, tests = [], [torch.arange(garments) >= garments - held_out]
    count = 0
    for seed in track(range(first, first + worlds), description="drawing worlds"):
        for task in load_library("phylogeny", scale, seed):
            images.append(task.images)
            species.append(task.labels + count)
            tests.append(task.test)
            count += task.num_classes
    heads = [len(names) for names in ATTRIBUTES.values()] + ([count] if worlds else [])
    total = sum(len(part) for part in images)
    targets = torch.full((total, len(heads)), -1)
    targets[:garments, : len(ATTRIBUTES)] = torch.stack(list(clothes.values.values()), 1)
    if worlds:
        targets[garments:, -1] = torch.cat(species)
    return World(torch.cat(images), targets, heads, torch.cat(tests))


def train(world: World, steps: int, seed: int, peak: float = 3e-3) -> SyntheticNet:
    """Train a network from scratch: AdamW, one cosine, pictures flipped and shifted.

    Args:
        world: as `draw_world` gives.
        steps: of `BATCH` pictures, drawn without replacement epoch after epoch.
        seed: of initial weights, order and augmentation.
        peak: learning rate after the first tenth of the steps.
    """
    torch.manual_seed(seed)
    network = SyntheticNet(sum(world.heads)).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=peak, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    batches = _batches((~world.test).nonzero().flatten())
    for _ in track(range(steps), description=f"training, seed {seed}"):
        index = next(batches)
        logits = network(standardised(_augmented(world.images[index])))
        optimiser.zero_grad()
        loss(logits, world.targets[index], world.heads).backward()
        optimiser.step()
        schedule.step()
    return network.to(memory_format=torch.contiguous_format).eval()


def loss(logits: Tensor, targets: Tensor, heads: list[int]) -> Tensor:
    """Cross-entropy summed over the softmaxes; each counts for the pictures it applies to."""
    return sum(
        cross_entropy(part, target, ignore_index=-1, reduction="sum", label_smoothing=0.1)
        for part, target in zip(logits.split(heads, 1), targets.unbind(1), strict=True)
    ) / len(targets)


def standardised(images: Tensor) -> Tensor:
    """As `Probe.preprocess` does, for pictures that already have the right size."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracies(network: SyntheticNet, world: World) -> list[float]:
    """Share of held-out pictures classified rightly, per softmax."""
    index = world.test.nonzero().flatten()
    logits = torch.cat([network(standardised(world.images[part])) for part in index.split(256)])
    right = [
        (part.argmax(1) == target)[target >= 0].float().mean().item()
        for part, target in zip(
            logits.split(world.heads, 1), world.targets[index].unbind(1), strict=True
        )
    ]
    return [round(value, 4) for value in right]


def _batches(index: Tensor) -> Iterator[Tensor]:
    while True:
        yield from index[torch.randperm(len(index))].split(BATCH)


def _augmented(images: Tensor) -> Tensor:
    """Half of the pictures mirrored; all shifted together by up to 4 px, edges repeated."""
    mirrored = torch.rand(len(images)) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    x, y = torch.randint(9, (2,)).tolist()
    size = images.shape[-1]
    framed = pad(images.float(), (4, 4, 4, 4), mode="replicate")
    return framed[..., y : y + size, x : x + size]


def main(
    out: Annotated[Path, typer.Option(help="weights; a .json is written beside")] = (
        SYNTHETIC_WEIGHTS
    ),
    steps: Annotated[int, typer.Option(help=f"of {BATCH} pictures")] = 3000,
    worlds: Annotated[int, typer.Option(help="phylogenies")] = 2,
    garments: Annotated[int, typer.Option(help="pictures of garments")] = 18000,
    seed: Annotated[int, typer.Option(help="of weights, order and augmentation")] = FIRST_SEED,
    scale: Annotated[str, typer.Option(help="of the phylogenies")] = "laptop",
) -> None:
    """Train the probe and write its weights with their description."""
    start = time.time()
    world = draw_world(worlds, garments, scale, seed)
    drawn = time.time()
    network = train(world, steps, seed)
    right = accuracies(network, world)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.stem}.part.safetensors")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)
    equalise(temporary)
    description = {
        "command": (
            f"python -m data_scripts.probe.train --steps {steps} --worlds {worlds} "
            f"--garments {garments} --seed {seed} --scale {scale}"
        ),
        "what": "SyntheticNet of t2v.pretrained.synthetic_net, with the fc it was trained with; "
        "convolutions scaled by data_scripts.probe.equalise_layers",
        "seeds of the worlds": list(range(seed, seed + max(worlds, 1))),
        "training images": int((~world.test).sum()),
        "held-out images": int(world.test.sum()),
        "held-out garments": int((world.test & (world.targets[:, 0] >= 0)).sum()),
        "classes": dict(zip([*ATTRIBUTES, "species"], world.heads, strict=False)),
        "held-out accuracy": dict(zip([*ATTRIBUTES, "species"], right, strict=False)),
        "chance": "one over the number of classes",
        "seconds drawing": round(drawn - start),
        "seconds in all": round(time.time() - start),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "bytes": temporary.stat().st_size,
        "sha256": hashlib.sha256(temporary.read_bytes()).hexdigest(),
    }
    beside = out.with_suffix(".json.partial")
    beside.write_text(json.dumps(description, indent=2) + "\n")
    os.replace(temporary, out)
    os.replace(beside, out.with_suffix(".json"))
    print(json.dumps(description, indent=2))


if __name__ == "__main__":
    typer.run(main)
