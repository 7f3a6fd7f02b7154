"""Task arithmetic on the experts of a chapter: adding two task vectors, and subtracting one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs
from t2v.experts.linear_classifiers import WEIGHT_DECAY
from t2v.experts.task_vectors import Edit, TaskVector, edited_errors, random_direction
from t2v.head import Head, fit_head
from t2v.probe import Probe
from t2v.task import Task

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """Networks edited by task vectors, and by what they are judged.

    Attributes:
        probe: network from which the experts were fine-tuned.
        vectors: M task vectors.
        heads: M heads, one for each expert's training task.
        jobs: number of processes, see `edited_errors`.
    """

    probe: Probe
    vectors: Sequence[TaskVector]
    heads: Sequence[Head]
    jobs: int | None = None

    def alone(self, images: Sequence[Task], scale: float = 1.0) -> Array:
        """Errors `[M]` of the probe with one vector added, each on its own task.

        Args:
            images: M tasks on whose images errors are measured.
            scale: λ; 1 gives the experts, 0 the probe.
        """
        edits = [
            Edit([vector], scale, [judged])
            for vector, judged in zip(self.vectors, self._judged(images), strict=True)
        ]
        return np.array(self._errors(edits))[:, 0]

    def added(
        self, pairs: Sequence[tuple[int, int]], scale: float, images: Sequence[Task]
    ) -> Array:
        """Errors of the probe with two vectors added, on the tasks of both, `[P, 2]`.

        Args:
            pairs: P pairs of positions.
            scale: λ, the factor of the sum.
            images: M tasks on whose images errors are measured.
        """
        judged = self._judged(images)
        edits = [
            Edit([self.vectors[a], self.vectors[b]], scale, [judged[a], judged[b]])
            for a, b in pairs
        ]
        return np.array(self._errors(edits)).reshape(len(pairs), 2)

    def with_noise(
        self, pairs: Sequence[tuple[int, int]], scale: float, images: Sequence[Task], seed: int = 0
    ) -> Array:
        """Errors with a random direction in place of the other vector, on both tasks, `[P, 2]`.

        Args:
            pairs: P pairs of positions.
            scale: λ, the factor of the sum.
            images: M tasks on whose images errors are measured.
            seed: seed of the directions, see `random_direction`.
        """
        judged = self._judged(images)
        noise = [random_direction(v, seed + m) for m, v in enumerate(self.vectors)]
        edits = [
            Edit([self.vectors[a], noise[b]], scale, [judged[a]])
            for pair in pairs
            for a, b in (pair, pair[::-1])
        ]
        return np.array(self._errors(edits)).reshape(len(pairs), 2)

    def subtracted(
        self,
        scale: float,
        images: Sequence[Task],
        *,
        cells: NDArray[np.bool_] | None = None,
        noise: bool = False,
        seed: int = 0,
    ) -> Array:
        """Errors of the probe less each vector, on every task, `[M, M]`.

        Args:
            scale: λ, the factor of what is subtracted.
            images: M tasks on whose images errors are measured.
            cells: bool `[M, M]`, which vectors are judged on which tasks; default: all on all.
            noise: whether to subtract a random direction in place of each vector.
            seed: seed of the directions, see `random_direction`.

        Returns:
            A row for each vector, a column for each task; NaN where it is not judged.
        """
        judged, count = self._judged(images), len(self.vectors)
        cells = np.ones((count, count), dtype=bool) if cells is None else cells
        edits = []
        for m, vector in enumerate(self.vectors):
            taken = random_direction(vector, seed + m) if noise else vector
            edits.append(Edit([taken], -scale, [judged[t] for t in np.flatnonzero(cells[m])]))
        errors = np.full((count, count), np.nan)
        for m, of_vector in enumerate(self._errors(edits)):
            errors[m, cells[m]] = of_vector
        return errors

    def _errors(self, edits: Sequence[Edit]) -> list[list[float]]:
        return edited_errors(self.probe, edits, jobs=self.jobs)

    def _judged(self, images: Sequence[Task]) -> list[tuple[Head, Task]]:
        return list(zip(self.heads, images, strict=True))


def first_heads(
    training_tasks: Sequence[Task], probe: Probe, *, jobs: int | None = None
) -> list[Head]:
    """The heads from which fine-tuning starts: fitted to the features of the probe, and cached.

    Args:
        training_tasks: M training tasks.
        probe: network from which the experts were fine-tuned.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
    """
    trains = [task.train for task in training_tasks]
    keys = [(train.fingerprint, probe.sha256, probe.image_size) for train in trains]
    items = [(train, probe) for train in trains]
    return cached_map(
        _first_head, keys, items, jobs=jobs or default_jobs(probe.device), what="heads"
    )


def _first_head(key: tuple, train: Task, probe: Probe) -> Head:
    return fit_head(
        probe.features(train.images),
        train.labels,
        num_classes=train.num_classes,
        weight_decay=WEIGHT_DECAY,
        name=train.name,
    )


def few_others(count: int, others: int) -> NDArray[np.bool_]:
    """Cells `[M, M]` of each vector on its own task and on the next few.

    Args:
        count: M.
        others: number of other tasks; at most all of them count.
    """
    step = np.arange(count)[None] - np.arange(count)[:, None]
    return (step % count) <= others
