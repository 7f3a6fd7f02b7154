"""SGD on all weights of a probe, with checkpoints from which training continues."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from t2v._run.tensors import read_tensors, write_tensors
from t2v.errors import FileError, InputError
from t2v.experts.linear_classifiers import WEIGHT_DECAY
from t2v.head import Head, fit_head
from t2v.pretrained.architectures import state_sha256
from t2v.probe import Probe
from t2v.task import Task

CHECK = 50  # steps between checks of the loss, and between checkpoints
CHECKPOINT = "t2v checkpoint 1"


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of fine-tuning by SGD; the last third of the steps has lr / 10.

    The paper's schedule (Supp. C.1) is 60 epochs of 10,000 images, that is 9,375 steps of 64
    images, with lr=0.001.

    Attributes:
        steps: number of batches.
        batch_size: images in a batch.
        lr: initial learning rate.
        momentum: momentum of SGD.
        weight_decay: weight decay of SGD.
    """

    steps: int
    batch_size: int = 64
    lr: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 5e-4


class Training:
    """Training of a copy of the probe on all images of a task.

    Random numbers come from torch's global generator.

    Args:
        task: training task; all of its images are used.
        probe: network to start from.
        schedule: length and learning rate.

    Raises:
        InputError: naming the task, if no head can be fitted or it is worse than chance.
    """

    def __init__(self, task: Task, probe: Probe, schedule: Schedule) -> None:
        self.task, self.probe, self.schedule = task, probe, schedule
        head, self.head_loss = _first_head(task, probe)
        self.network = probe.with_head(head).requires_grad_(True).train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=schedule.lr,
            momentum=schedule.momentum,
            weight_decay=schedule.weight_decay,
        )
        self.step, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self.order = torch.argsort(task.labels, stable=True)
        self.counts = torch.bincount(task.labels, minlength=task.num_classes)

    def run(self, steps: int) -> None:
        """Train for some more steps.

        Args:
            steps: number of steps.

        Raises:
            InputError: naming the task, if the loss is not a number or far above that of chance.
        """
        start = time.perf_counter()
        for _ in range(steps):
            slow = self.step >= 2 / 3 * self.schedule.steps
            self.optimiser.param_groups[0]["lr"] = self.schedule.lr * (0.1 if slow else 1)
            images, labels = self._batch()
            loss = cross_entropy(self.network(images), labels.to(images.device))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.losses.append(loss.item())
            self.step += 1
            if not math.isfinite(self.losses[-1]):
                self._refuse("is not a number")
        # the loss of a task that cannot be learnt stays at log K, which is no failure of training
        if steps == CHECK and np.mean(self.losses[-CHECK:]) > 2 * math.log(len(self.counts)):
            self._refuse("is twice that of chance")
        self.seconds += time.perf_counter() - start

    def _refuse(self, problem: str) -> None:
        raise InputError(
            f"task {self.task.name!r}: the loss at step {self.step} {problem} "
            f"({np.mean(self.losses[-CHECK:]):.3g}): use a smaller lr than {self.schedule.lr:g}"
        )

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Images and labels: classes drawn evenly, then images in them; mirrored and shifted."""
        size = self.schedule.batch_size
        labels = torch.randint(len(self.counts), (size,))
        rank_in_class = (torch.rand(size) * self.counts[labels]).long()
        index = self.order[(self.counts.cumsum(0) - self.counts)[labels] + rank_in_class]
        images = self.probe.preprocess(self.task.subset(index).images)
        mirrored = (torch.rand(size) < 0.5).to(images.device)[:, None, None, None]
        images = torch.where(mirrored, images.flip(3), images)
        side = images.shape[-1]
        max_shift = side // 12
        x, y = torch.randint(2 * max_shift + 1, (2,)).tolist()
        images = pad(images, (max_shift,) * 4, mode="replicate")[..., y : y + side, x : x + side]
        return images.contiguous(memory_format=torch.channels_last), labels

    def finish(self) -> tuple[Probe, Head]:
        """The trained network, in eval mode and without its head, and the head.

        Raises:
            InputError: naming the task, if a weight is not finite.
        """
        network = self.network.eval().requires_grad_(False)
        if not all(value.isfinite().all() for value in network.state_dict().values()):
            self._refuse("left weights that are not finite")
        linear = network.get_submodule(self.probe.head_at)
        assert isinstance(linear, nn.Linear)  # as `Probe.with_head` made it
        head = Head(linear.weight.cpu(), linear.bias.cpu(), math.nan, self.schedule.weight_decay)
        network.set_submodule(self.probe.head_at, nn.Identity())
        state = {name: value.cpu() for name, value in network.state_dict().items()}
        return replace(self.probe, network=network, sha256=state_sha256(state)), head

    def save(self, path: Path, key: str) -> None:
        """Write a checkpoint: all that the remaining steps depend on.

        Args:
            path: the file; its folder must exist.
            key: identifies task, probe, schedule and seed.
        """
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            tensors[f"momentum.{i}"] = state["momentum_buffer"]
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        tensors["random"] = torch.get_rng_state()
        if self.probe.device.type == "cuda":
            tensors["random on the device"] = torch.cuda.get_rng_state(self.probe.device)
        write_tensors(path, tensors, CHECKPOINT, {"key": key, "seconds": str(self.seconds)})

    def load(self, path: Path, key: str) -> None:
        """Continue from what `save` wrote.

        Args:
            path: the file.
            key: identifies task, probe, schedule and seed.

        Raises:
            FileError: if the file is damaged or was saved with another key.
        """
        try:
            tensors, metadata = read_tensors(path, CHECKPOINT)
        except FileError as error:
            raise FileError(f"{error}: remove it") from None
        if metadata["key"] != key:
            raise FileError(f"{path}: not a checkpoint of task {self.task.name!r}: remove it")
        self.network.load_state_dict(_under("network.", tensors))
        momentum = _under("momentum.", tensors)
        state = self.optimiser.state_dict()
        state["state"] = {int(i): {"momentum_buffer": v} for i, v in momentum.items()}
        self.optimiser.load_state_dict(state)
        self.losses = tensors["losses"].tolist()
        self.step, self.seconds = len(self.losses), float(metadata["seconds"])
        torch.set_rng_state(tensors["random"])
        if self.probe.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random on the device"], self.probe.device)


def _first_head(task: Task, probe: Probe) -> tuple[Head, float]:
    """The head fitted to the probe's features to convergence, and its class-balanced loss."""
    features = probe.features(task.images)
    head = fit_head(
        features,
        task.labels,
        num_classes=task.num_classes,
        weight_decay=WEIGHT_DECAY,
        name=task.name,
    )
    counts = torch.bincount(task.labels).double()
    loss = cross_entropy(head.logits(features).double(), task.labels, weight=1 / counts).item()
    if not loss <= math.log(task.num_classes) + 1e-6:
        raise InputError(
            f"task {task.name!r}: the loss of its head on the probe, {loss:.3g}, is above that of "
            f"chance, {math.log(task.num_classes):.3g}: look at the images and the probe's weights"
        )
    return head, loss


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
