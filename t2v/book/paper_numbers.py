"""The paper's own numbers (`book/paper/`) as arrays, and what can be taken apart in them.

Errors are shares in [0, 1] here; the tables have per cent, as the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2v.book import tables
from t2v.evaluation import errors_of, nearest_eligible

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MetaTask:
    """One half of Fig. 6: T tasks, M experts."""

    tasks: list[str]
    experts: list[str]
    errors: Array
    """`[T, M]`, shares."""
    eligible: NDArray[np.bool_]
    """`[T, M]`; on iNat+CUB an expert is not eligible for the task it was trained on."""
    red: NDArray[np.intp]
    """`[T]`, the expert that asymmetric Task2Vec selected."""
    distance: Array
    """`[T, M]`, asymmetric distance in steps of the colour map, from 0 (near) to 255 (far)."""
    imagenet: Array | None = None
    """`[T]`, error with the generic network."""
    own: Array | None = None
    """`[T]`, error with the task's own expert."""
    norm: Array | None = None
    """`[T]`, L1 norm of the embedding."""
    crosses: Array | None = None
    """`[T]`, errors marked by the red crosses of Fig. 3."""
    test_size: NDArray[np.intp] | None = None
    """`[T]`, images."""

    @property
    def source(self) -> NDArray[np.str_]:
        """Data set of each task: CUB, iNat, IMAT, DEEPFASHION, in one spelling."""
        spelt = {"INAT": "iNat", "IMAT": "iMaterialist", "DEEPFASHION": "DeepFashion"}
        names = [task[1 : task.index("]")] for task in self.tasks]
        return np.array([spelt.get(name, name) for name in names])

    @property
    def taxon(self) -> NDArray[np.str_]:
        """Class of each task of iNat+CUB, the name in parentheses."""
        return np.array([task.rpartition("(")[2].rstrip(")") for task in self.tasks])


def inat_cub(folder: str | Path, printed: bool = False) -> MetaTask:
    """The iNat+CUB meta-task, 50 tasks by 50 experts.

    Args:
        folder: `book/paper`.
        printed: the whole per cent of Fig. 6 instead of the exact errors of Fig. 3.
    """
    folder = Path(folder)
    exact = tables.read(folder / "inat_cub_exact.csv")
    tasks = exact.task.tolist()
    shown = tables.read(folder / "inat_cub.csv") if printed else exact
    experts = np.array(tasks)
    distance = tables.read(folder / "inat_cub_distance_index.csv")[tasks].to_numpy(float)
    share = {name: exact[name].to_numpy() / 100 for name in exact if name.endswith("_error")}
    return MetaTask(
        tasks=tasks,
        experts=tasks,
        errors=shown[tasks].to_numpy(float) / 100,
        eligible=~np.eye(len(tasks), dtype=bool),
        red=np.array([np.flatnonzero(experts == name)[0] for name in exact.fig6_red_selected]),
        distance=distance,
        imagenet=share["imagenet_expert_error"],
        own=share["own_expert_error"],
        norm=exact.embedding_l1_norm.to_numpy(),
        crosses=share["fig3_red_cross_error"],
        test_size=exact.n_test.to_numpy(),
    )


def mixed(folder: str | Path) -> MetaTask:
    """The Mixed meta-task, 40 tasks by 25 experts, in whole per cent as printed.

    Args:
        folder: `book/paper`.
    """
    shown = tables.read(Path(folder) / "mixed.csv")
    distance = tables.read(Path(folder) / "mixed_distance_index.csv")
    experts = distance.columns[1:].tolist()
    return MetaTask(
        tasks=shown.task.tolist(),
        experts=experts,
        errors=shown[experts].to_numpy(float) / 100,
        eligible=np.ones((len(shown), len(experts)), dtype=bool),
        red=np.array([experts.index(name) for name in shown.task2vec_selected_red]),
        distance=distance[experts].to_numpy(float),
    )


def split_distance(distance: Array) -> tuple[Array, Array, float]:
    """Take an asymmetric distance apart: `d[t, s] = symmetric[t, s] - offset[s]`.

    The difference of the matrix and its transpose holds the offsets only (up to a constant, here
    mean 0), `alpha * d_sym(s, trivial)` in the paper; least squares over all pairs.

    Args:
        distance: `[T, T]`, rows targets, columns sources; the diagonal is not used.

    Returns:
        The symmetric part `[T, T]` (diagonal NaN), the offsets `[T]`, and the standard deviation of
        what this form leaves unexplained in the difference.
    """
    skew = np.array(distance, dtype=np.float64)
    np.fill_diagonal(skew, 0)
    skew = skew - skew.T
    offset = -skew.mean(axis=0)
    symmetric = distance + offset
    symmetric = (symmetric + symmetric.T) / 2
    np.fill_diagonal(symmetric, np.nan)
    left = skew + offset - offset[:, None]
    return symmetric, offset, float(left[~np.eye(len(left), dtype=bool)].std())


def sweep_alpha(meta: MetaTask, factors: Array, draws: int = 200, seed: int = 0) -> Array:
    """Errors of the picks for other values of alpha, from the distances behind Fig. 6.

    Args:
        meta: a square meta-task.
        factors: `[K]`, multiples of the paper's alpha; 0 is the symmetric distance.
        draws: the colours are read to half a step; so many matrices within that are drawn (0: none,
            as read).
        seed: of the draws.

    Returns:
        `[max(draws, 1), K, T]`, error of the pick.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(max(draws, 1)):
        noise = rng.uniform(-0.5, 0.5, meta.distance.shape) if draws else 0.0
        symmetric, offset, _ = split_distance(meta.distance + noise)
        picks = [nearest_eligible(symmetric - k * offset, meta.eligible) for k in factors]
        found.append([errors_of(meta.errors, pick, meta.eligible) for pick in picks])
    return np.array(found)
