"""Train the probe `synthetic` on worlds that no library of the book uses.

The part that ImageNet plays for photographs is played here by creatures of several worlds (their
species are the classes) and by garments (one softmax per attribute group), under one `fc`. The
seeds of these worlds start at `FIRST_TRAINING_SEED`; those of libraries are small.

    python -m data_scripts.probe.train            # 8 minutes on two cores
"""

from __future__ import annotations

import json
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
from t2v._run.files import replacing, sha256_of
from t2v.libraries import load_library
from t2v.libraries.worlds.creatures.evolution import FIRST_TRAINING_SEED
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES
from t2v.libraries.worlds.garments.images import draw_garments
from t2v.libraries.worlds.wardrobe import wardrobe_garments
from t2v.pretrained.architectures import SYNTHETIC_WEIGHTS
from t2v.pretrained.synthetic_net import SyntheticNet
from t2v.probe import IMAGENET_MEAN, IMAGENET_STD

BATCH = 64


@dataclass(frozen=True)
class TrainingSet:
    """Labelled images for one network with several softmaxes.

    Attributes:
        images: uint8 `[N, 3, 48, 48]`.
        targets: class under each softmax, int64 `[N, H]`; -1 where the softmax does not apply.
        heads: H numbers of classes, one for each softmax; `fc` has their sum.
        test: whether an image is held out, bool `[N]`.
    """

    images: Tensor
    targets: Tensor
    heads: list[int]
    test: Tensor


def draw_training_set(
    worlds: int, garments: int, scale: str = "laptop", first: int = FIRST_TRAINING_SEED
) -> TrainingSet:
    """Draw the images that the probe is trained on.

    Args:
        worlds: number of phylogenies; the species of each are classes of one softmax.
        garments: number of garments; one in ten is held out.
        scale: scale of the phylogenies.
        first: seed of the first world; the others have the seeds that follow it.
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
    return TrainingSet(torch.cat(images), targets, heads, torch.cat(tests))


def train(data: TrainingSet, steps: int, seed: int, peak: float = 3e-3) -> SyntheticNet:
    """Train a network from scratch: AdamW, one cosine, images flipped and shifted.

    Args:
        data: the training set, as from `draw_training_set`.
        steps: number of batches of `BATCH` images, drawn without replacement in each epoch.
        seed: seed of initial weights, order and augmentation.
        peak: learning rate after the first tenth of the steps.
    """
    torch.manual_seed(seed)
    network = SyntheticNet(sum(data.heads)).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=peak, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    batches = _batches((~data.test).nonzero().flatten())
    for _ in track(range(steps), description=f"training, seed {seed}"):
        index = next(batches)
        logits = network(standardised(_augmented(data.images[index])))
        optimiser.zero_grad()
        loss(logits, data.targets[index], data.heads).backward()
        optimiser.step()
        schedule.step()
    return network.to(memory_format=torch.contiguous_format).eval()


def loss(logits: Tensor, targets: Tensor, heads: list[int]) -> Tensor:
    """Cross-entropy `[]`, summed over the softmaxes that apply, mean over images.

    Args:
        logits: `[N, C]`, those of all softmaxes side by side.
        targets: int64 `[N, H]`; -1 where a softmax does not apply.
        heads: H numbers of classes, with sum C.
    """
    return sum(
        cross_entropy(part, target, ignore_index=-1, reduction="sum", label_smoothing=0.1)
        for part, target in zip(logits.split(heads, 1), targets.unbind(1), strict=True)
    ) / len(targets)


def standardised(images: Tensor) -> Tensor:
    """Images as `Probe.preprocess` gives them, for images that have the right size already."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracies(network: SyntheticNet, data: TrainingSet) -> list[float]:
    """Share of held-out images classified correctly, by softmax."""
    index = data.test.nonzero().flatten()
    logits = torch.cat([network(standardised(data.images[part])) for part in index.split(256)])
    right = [
        (part.argmax(1) == target)[target >= 0].float().mean().item()
        for part, target in zip(
            logits.split(data.heads, 1), data.targets[index].unbind(1), strict=True
        )
    ]
    return [round(value, 4) for value in right]


def _batches(index: Tensor) -> Iterator[Tensor]:
    while True:
        yield from index[torch.randperm(len(index))].split(BATCH)


def _augmented(images: Tensor) -> Tensor:
    """Half of the images mirrored; all shifted together by up to 4 pixels, edges repeated."""
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
    steps: Annotated[int, typer.Option(help=f"batches of {BATCH} images")] = 3000,
    worlds: Annotated[int, typer.Option(help="number of phylogenies")] = 2,
    garments: Annotated[int, typer.Option(help="number of images of garments")] = 18000,
    seed: Annotated[int, typer.Option(help="seed of worlds, weights, order and augmentation")] = (
        FIRST_TRAINING_SEED
    ),
    scale: Annotated[str, typer.Option(help="scale of the phylogenies")] = "laptop",
) -> None:
    """Train the probe and write its weights with their description."""
    start = time.time()
    data = draw_training_set(worlds, garments, scale, seed)
    drawn = time.time()
    network = train(data, steps, seed)
    correct = accuracies(network, data)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as weights, replacing(out.with_suffix(".json")) as beside:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
        equalise(weights)
        description = {
            "command": (
                f"python -m data_scripts.probe.train --steps {steps} --worlds {worlds} "
                f"--garments {garments} --seed {seed} --scale {scale}"
            ),
            "what": "SyntheticNet of t2v.pretrained.synthetic_net, with the fc it was trained "
            "with; convolutions scaled by data_scripts.probe.equalise_layers",
            "seeds of the worlds": list(range(seed, seed + max(worlds, 1))),
            "training images": int((~data.test).sum()),
            "held-out images": int(data.test.sum()),
            "held-out garments": int((data.test & (data.targets[:, 0] >= 0)).sum()),
            "classes": dict(zip([*ATTRIBUTES, "species"], data.heads, strict=False)),
            "held-out accuracy": dict(zip([*ATTRIBUTES, "species"], correct, strict=False)),
            "chance": "one over the number of classes",
            "seconds drawing": round(drawn - start),
            "seconds in all": round(time.time() - start),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "bytes": weights.stat().st_size,
            "sha256": sha256_of(weights),
        }
        beside.write_text(json.dumps(description, indent=2) + "\n")
    print(json.dumps(description, indent=2))


if __name__ == "__main__":
    typer.run(main)
