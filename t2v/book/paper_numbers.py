"""The paper's own numbers (`book/paper/`) as meta-tasks, and its distances taken apart.

Errors are shares in [0, 1] here; the tables have per cent, as the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2v.book import tables
from t2v.evaluation import errors_of, nearest_eligible
from t2v.meta_task import Array, MetaTask


@dataclass(frozen=True, eq=False, kw_only=True)
class PaperMetaTask(MetaTask):
    """One half of Fig. 6: T tasks, M experts, and what the paper prints of them.

    The paper prints distances but no embeddings: `tasks` and `experts` are positions in `distance`.
    Names of tasks begin with their data set in brackets. `generic` is the error on the ImageNet
    expert; an expert is not eligible for the task that it was trained on.

    Attributes:
        distance: `[T, M]`, asymmetric distance in steps of the colour map, from 0 (near) to 255.
        task2vec_pick: `[T]`, position of the expert that asymmetric Task2Vec picks, red in Fig. 6.
        own_error: `[T]`, error of the expert trained on the task itself.
        fig3_cross_error: `[T]`, errors at the red crosses of Fig. 3.
        norm: `[T]`, L1 norm of the embedding.
        test_size: `[T]`, number of test images.
    """

    distance: Array
    task2vec_pick: NDArray[np.intp]
    own_error: Array | None = None
    fig3_cross_error: Array | None = None
    norm: Array | None = None
    test_size: NDArray[np.intp] | None = None

    @property
    def data_set(self) -> NDArray[np.str_]:
        """Data set of each task, `[T]`: CUB, iNat, iMaterialist or DeepFashion."""
        spelt = {"INAT": "iNat", "IMAT": "iMaterialist", "DEEPFASHION": "DeepFashion"}
        names = [task[1 : task.index("]")] for task in self._names()]
        return np.array([spelt.get(name, name) for name in names])

    @property
    def taxon(self) -> NDArray[np.str_]:
        """Class of each task of iNat+CUB, `[T]`: the name in parentheses."""
        return np.array([task.rpartition("(")[2].rstrip(")") for task in self._names()])

    def _names(self) -> list[str]:
        return [self.task_name(t) for t in range(len(self.tasks))]


def inat_cub(folder: str | Path, printed: bool = False) -> PaperMetaTask:
    """The iNat+CUB meta-task, 50 tasks by 50 experts.

    Args:
        folder: the folder `book/paper`.
        printed: whether errors are the whole per cent of Fig. 6, not the exact ones of Fig. 3.
    """
    folder = Path(folder)
    exact = tables.read(folder / "inat_cub_exact.csv")
    tasks = exact.task.tolist()
    shown = tables.read(folder / "inat_cub.csv") if printed else exact
    distance = tables.read(folder / "inat_cub_distance_index.csv")[tasks].to_numpy(float)
    share = {name: exact[name].to_numpy() / 100 for name in exact if name.endswith("_error")}
    return PaperMetaTask(
        tasks=range(len(tasks)),
        experts=range(len(tasks)),
        errors=shown[tasks].to_numpy(float) / 100,
        eligible=~np.eye(len(tasks), dtype=bool),
        generic=share["imagenet_expert_error"],
        task_names=tasks,
        expert_names=tasks,
        distance=distance,
        task2vec_pick=np.array([tasks.index(name) for name in exact.fig6_red_selected]),
        own_error=share["own_expert_error"],
        fig3_cross_error=share["fig3_red_cross_error"],
        norm=exact.embedding_l1_norm.to_numpy(),
        test_size=exact.n_test.to_numpy(),
    )


def mixed(folder: str | Path) -> PaperMetaTask:
    """The Mixed meta-task, 40 tasks by 25 experts, in whole per cent as printed.

    Args:
        folder: the folder `book/paper`.
    """
    shown = tables.read(Path(folder) / "mixed.csv")
    distance = tables.read(Path(folder) / "mixed_distance_index.csv")
    experts = distance.columns[1:].tolist()
    return PaperMetaTask(
        tasks=range(len(shown)),
        experts=range(len(experts)),
        errors=shown[experts].to_numpy(float) / 100,
        task_names=shown.task.tolist(),
        expert_names=experts,
        distance=distance[experts].to_numpy(float),
        task2vec_pick=np.array([experts.index(name) for name in shown.task2vec_selected_red]),
    )


def same_order_picks(meta: PaperMetaTask) -> NDArray[np.bool_]:
    """Whether each task's pick was trained on its order by the other data set, `[T]`.

    The classes of the two then overlap. Families, whose names end in *idae*, are those into which
    CUB splits its Passeriformes (Supp. D).

    Args:
        meta: iNat+CUB, where tasks and experts are the same.
    """
    names = [task.split("] ")[1].split(" (")[0] for task in meta._names()]
    order = np.array(["Passeriformes" if name.endswith("idae") else name for name in names])
    pick = meta.task2vec_pick
    return (order[pick] == order) & (meta.data_set[pick] != meta.data_set)


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


def sweep_alpha(meta: PaperMetaTask, factors: Array, draws: int = 200, seed: int = 0) -> Array:
    """Errors of the picks for other values of alpha, from the distances behind Fig. 6.

    Args:
        meta: a square meta-task.
        factors: `[K]`, multiples of the paper's alpha; 0 is the symmetric distance.
        draws: number of matrices drawn within the half step to which colours can be read; 0: the
            matrix as read.
        seed: seed of the draws.

    Returns:
        `[max(draws, 1), K, T]`, error of the pick.
    """
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(max(draws, 1)):
        noise = rng.uniform(-0.5, 0.5, meta.distance.shape) if draws else 0.0
        symmetric, offset, _ = split_distance(meta.distance + noise)
        picks = [nearest_eligible(symmetric - k * offset, meta.eligible) for k in factors]
        errors.append([errors_of(meta.errors, pick, meta.eligible) for pick in picks])
    return np.array(errors)
