"""What fine-tuning a network brings, measured on a quarter of the images that is held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from t2v.candidates.best_set import best_set
from t2v.candidates.images import Images, fitted
from t2v.candidates.network import Network
from t2v.errors import InputError
from t2v.evaluation import Estimate
from t2v.experts.fine_tuning import train_experts
from t2v.experts.linear_classifiers import WEIGHT_DECAY
from t2v.experts.schedules import BY_PROBE, default_schedule, estimated_seconds
from t2v.head import fit_head
from t2v.probe import Probe
from t2v.task import Task
from t2v.transferability.registry import parts

QUARTERS = 4
CLEAR = 0.95  # share of the bootstrap samples


@dataclass(frozen=True)
class FineTuned:
    """Errors of a network on a quarter of the images, with classifiers from the other three.

    Attributes:
        name: name of the network.
        before: class-balanced error of a linear classifier on its features.
        after: the same after fine-tuning.
        p_better: share of bootstrap samples of the quarter in which `after` is less.
        images: number of images in the quarter.
    """

    name: str
    before: Estimate
    after: Estimate
    p_better: float
    images: int

    @property
    def words(self) -> str:
        """Whether it helps."""
        if self.p_better >= CLEAR:
            return "fine-tuning helps"
        if self.p_better <= 1 - CLEAR:
            return "fine-tuning harms"
        return "whether it helps cannot be told"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "p_better": self.p_better,
            "images": self.images,
        }


def fine_tune_network(
    network: Network,
    images: Images,
    labels: NDArray,
    classes: Sequence[str],
    *,
    seed: int = 0,
    announce: Callable[[float], None] | None = None,
    progress: bool = False,
) -> FineTuned:
    """Fine-tune a network on three quarters of the images; what is trained is kept.

    Args:
        network: the network; it is not changed.
        images: N images that can all be used.
        labels: `[N]`, class of each image in 0..K-1.
        classes: K names of classes.
        seed: seed of the split and of the training.
        announce: called with the seconds that the training takes, about.
        progress: show a progress bar.

    Raises:
        InputError: a class with fewer than four images.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < QUARTERS:
        raise InputError(
            f"--finetune-top: class {classes[int(counts.argmin())]!r} has {counts.min()} images; "
            "four are needed, so that a quarter can be held out"
        )
    _, held_out = next(parts(labels, QUARTERS, seed))
    test = torch.zeros(len(labels), dtype=torch.bool)
    test[held_out] = True
    pixels = _pixels(network, images, len(labels))
    task = Task(network.name, pixels, torch.as_tensor(labels), list(classes), test=test)
    probe = network.probe
    schedule = default_schedule(probe)
    if network.name == "squeezenet1_1":  # the rate of the package's probe, of the same design
        schedule = BY_PROBE["imagenet"]
    if announce is not None:
        announce(estimated_seconds(task, probe, schedule))
    [expert] = train_experts([task], probe, schedule=schedule, seed=seed, jobs=1, progress=progress)
    mistakes = np.array([_mistakes(task, extractor) for extractor in (probe, expert.extractor)])
    found = best_set(mistakes, labels[held_out_order(test)], seed=seed)
    before, after = found.intervals
    return FineTuned(network.name, before, after, float(found.p_best[1]), int(test.sum()))


def held_out_order(test: torch.Tensor) -> NDArray[np.intp]:
    """Positions of the held-out images in their order."""
    return np.flatnonzero(test.numpy())


def _mistakes(task: Task, extractor: Probe) -> NDArray[np.bool_]:
    features, test = extractor.features(task.images), task.held_out_mask
    head = fit_head(
        features[~test],
        task.labels[~test],
        num_classes=task.num_classes,
        weight_decay=WEIGHT_DECAY,
        name=task.name,
    )
    return (head.logits(features[test]).argmax(1) != task.labels[test]).numpy()


def _pixels(network: Network, images: Images, count: int) -> torch.Tensor:
    """All images as the network crops them, uint8 `[N, 3, S, S]`."""
    size, crop = network.probe.image_size, (network.resize - network.probe.image_size) // 2
    pixels = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for i in range(count):
        image = images.open(i)
        assert not isinstance(image, str)  # only images that can be used are given
        square = fitted(image, network.resize, network.bicubic)
        square = square.crop((crop, crop, crop + size, crop + size))
        pixels[i] = torch.from_numpy(np.array(square).transpose(2, 0, 1))
    return pixels
