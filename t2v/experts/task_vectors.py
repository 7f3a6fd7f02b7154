"""Task vectors (Ilharco et al. 2023): what fine-tuning has added to a network's weights.

They are added, subtracted and scaled like vectors, and added to the network from which the experts
were fine-tuned. Heads are no part of them: a network that was edited so is judged with the head
that an expert was trained with.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._numerics.convolutions import convolutions
from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.head import Head
from t2v.probe import Probe
from t2v.task import Task


@dataclass(frozen=True, eq=False)
class TaskVector:
    """A change of all weights of a network, without those of the head.

    Attributes:
        name: what it comes from.
        changes: name of a tensor in the network's state dict to its change, float64.
    """

    name: str
    changes: dict[str, Tensor]

    def __repr__(self) -> str:
        return f"TaskVector({self.name!r}, norm {self.norm:.3g})"

    def __add__(self, other: TaskVector) -> TaskVector:
        _check_alike(self, other)
        changes = {name: value + other.changes[name] for name, value in self.changes.items()}
        return TaskVector(f"{self.name} + {other.name}", changes)

    def __rmul__(self, scale: float) -> TaskVector:
        changes = {name: scale * value for name, value in self.changes.items()}
        return TaskVector(f"{scale:g} ({self.name})", changes)

    def __neg__(self) -> TaskVector:
        return replace(-1.0 * self, name=f"-({self.name})")

    @property
    def norm(self) -> float:
        """Euclidean norm over all weights."""
        return math.sqrt(sum(float(value.square().sum()) for value in self.changes.values()))

    @cached_property
    def sha256(self) -> str:
        """Hex digest of names and changes."""
        digest = hashlib.sha256()
        for name, value in sorted(self.changes.items()):
            digest.update(f"{name} {list(value.shape)}".encode())
            digest.update(np.ascontiguousarray(value.numpy()).data)
        return digest.hexdigest()

    @property
    def layers(self) -> dict[str, tuple[str, ...]]:
        """Name of each layer to the names of its tensors, in the network's order."""
        layers: dict[str, tuple[str, ...]] = {}
        for name in self.changes:
            layer = name.rpartition(".")[0]
            layers[layer] = (*layers.get(layer, ()), name)
        return layers

    def flat(self, layers: Iterable[str] | None = None) -> Tensor:
        """All changes in a row, float64 `[P]`.

        Args:
            layers: names of the layers that count; default: all.

        Raises:
            InputError: naming a layer that there is not.
        """
        known = self.layers
        wanted = list(known) if layers is None else list(layers)
        if unknown := [layer for layer in wanted if layer not in known]:
            raise InputError(f"layer {unknown[0]!r}: not one of {', '.join(known)}")
        names = [name for layer in wanted for name in known[layer]]
        return torch.cat([self.changes[name].flatten() for name in names])

    def added_to(self, probe: Probe) -> Probe:
        """The probe with changed weights.

        Variances of batch normalisation that would fall below 0 become 0.

        Raises:
            InputError: if the probe's network has other tensors.
        """
        state = {name: value.cpu() for name, value in probe.network.state_dict().items()}
        _check_alike(self, TaskVector(probe.name, _floating(state)))
        for name, change in self.changes.items():
            edited = state[name].double() + change
            if name.endswith("running_var"):
                edited = edited.clamp(min=0)
            state[name] = edited.to(state[name].dtype)
        return probe.with_weights(state)


class Edit(NamedTuple):
    """A network to be judged: a probe with a multiple of a sum of task vectors added to it."""

    vectors: Sequence[TaskVector]
    """Task vectors whose sum is added."""
    scale: float
    """Factor of the sum, λ; negative to subtract."""
    judged: Sequence[tuple[Head, Task]]
    """Heads, and the tasks on whose images each of them is judged."""


def task_vector(expert: Expert, start: Probe) -> TaskVector:
    """The weights of an expert less those from which it was fine-tuned.

    In float64, in which the difference of two float32 numbers of like size is exact: added to the
    start it gives the expert's weights to the last bit.

    Args:
        expert: expert whose extractor is a network.
        start: network from which it was fine-tuned.

    Raises:
        InputError: naming the expert, if it is no network, was fine-tuned from another one, or has
            other tensors.
    """
    if not isinstance(expert.extractor, Probe):
        raise InputError(f"expert {expert.name!r}: has no weights, so no task vector")
    if expert.recipe.get("start", start.sha256) != start.sha256:
        raise InputError(f"expert {expert.name!r}: was fine-tuned from another network")
    tuned, before = (
        TaskVector(name, _floating(probe.network.state_dict()))
        for name, probe in ((expert.name, expert.extractor), (start.name, start))
    )
    _check_alike(tuned, before)
    return replace(tuned + -before, name=expert.name)


def cosines(
    vectors: Sequence[TaskVector],
    others: Sequence[TaskVector] | None = None,
    *,
    layers: Iterable[str] | None = None,
) -> NDArray[np.float64]:
    """Cosines of the angles between task vectors.

    Args:
        vectors: M task vectors.
        others: M' task vectors; default: `vectors`.
        layers: names of the layers that count; default: all.

    Returns:
        `[M, M']`, in [-1, 1]; 0 where a vector is 0.

    Raises:
        InputError: if there are no vectors, they are of different networks, or a layer is unknown.
    """
    names = None if layers is None else list(layers)
    sides = [list(vectors), list(vectors if others is None else others)]
    if not all(sides):
        raise InputError("vectors: at least one task vector is needed on each side")
    for vector in (*sides[0], *sides[1]):
        _check_alike(sides[0][0], vector)
    units = []
    for side in sides:
        flat = torch.stack([vector.flat(names) for vector in side])
        units.append(flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-300))
    return (units[0] @ units[1].T).clamp(-1, 1).numpy()


def filter_energies(vector: TaskVector, probe: Probe) -> NDArray[np.float64]:
    """Mean squared change of the weights of each filter, float64 `[F]`.

    It has the layout of an embedding of the probe: the same filters in the same order.

    Args:
        vector: task vector of a network like the probe's.
        probe: probe, which tells what a filter is.

    Raises:
        InputError: naming a layer that the vector does not change.
    """
    parts = []
    for layer in convolutions(probe.network):
        if (change := vector.changes.get(f"{layer}.weight")) is None:
            raise InputError(f"task vector {vector.name!r}: has no weights of layer {layer!r}")
        parts.append(change.square().flatten(1).mean(1).numpy())
    return np.concatenate(parts)


def random_direction(like: TaskVector, seed: int = 0) -> TaskVector:
    """A vector of random direction whose norm in every tensor is that of a task vector.

    Args:
        like: the task vector.
        seed: seed of the direction.
    """
    generator = torch.Generator().manual_seed(seed)
    changes = {}
    for name, value in like.changes.items():
        drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        changes[name] = drawn * (value.norm() / drawn.norm().clamp(min=1e-300))
    return TaskVector(f"random like {like.name}", changes)


def edited_errors(
    probe: Probe, edits: Sequence[Edit], *, jobs: int | None = None, progress: bool = False
) -> list[list[float]]:
    """Errors of edited networks with heads that were trained before the edit.

    Errors are cached by content; the edited networks are not.

    Args:
        probe: network to which the vectors are added.
        edits: E networks and by what each is judged.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Returns:
        For each edit the class-balanced errors in [0, 1], one for each pair of head and task.

    Raises:
        InputError: if an edit has no vector, or does not fit the network.
    """
    if any(not edit.vectors for edit in edits):
        raise InputError("edits: each needs at least one task vector; the scale may be 0")
    keys = [(probe.sha256, probe.image_size, *_identity(edit)) for edit in edits]
    items = [(probe, edit) for edit in edits]
    jobs = jobs or default_jobs(probe.device)
    return cached_map(_errors, keys, items, jobs=jobs, what="edits", progress=progress)


def _identity(edit: Edit) -> tuple[Hashable, ...]:
    judged = [(_sha256_of(head), task.fingerprint) for head, task in edit.judged]
    return tuple(v.sha256 for v in edit.vectors), float(edit.scale), tuple(judged)


def _sha256_of(head: Head) -> str:
    weights = torch.cat([head.weight.flatten(), head.bias]).detach().cpu()
    return hashlib.sha256(weights.numpy().tobytes()).hexdigest()


def _errors(key: tuple, probe: Probe, edit: Edit) -> list[float]:
    vector, *more = edit.vectors
    for other in more:
        vector = vector + other
    edited = (edit.scale * vector).added_to(probe)
    return [head.error(edited.features(task.images), task.labels) for head, task in edit.judged]


def _floating(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a state dict that fine-tuning changes, in float64; counters are not."""
    floating = {name: value for name, value in state.items() if value.is_floating_point()}
    return {name: value.detach().cpu().double() for name, value in floating.items()}


def _check_alike(one: TaskVector, other: TaskVector) -> None:
    shapes = [{name: v.shape for name, v in vector.changes.items()} for vector in (one, other)]
    if shapes[0] != shapes[1]:
        differing = {name for name, _ in shapes[0].items() ^ shapes[1].items()}
        raise InputError(
            f"task vectors {one.name!r} and {other.name!r} are of different networks: they differ "
            f"in {min(differing)}"
        )
