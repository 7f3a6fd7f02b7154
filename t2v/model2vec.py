r"""MODEL2VEC: experts in the space of tasks, moved to where they are good (Sect. 4, Supp. C.3).

Expert j is the embedding of its training task plus a learnt bias, $m_j = F_j + b_j$. The biases are
fitted to the errors of all experts on other tasks, so that a task's best expert becomes its
nearest: with $d_{ij} = d_{asym}(t_i, m_j)$, the loss is the cross entropy between the soft labels
softmax$(-20\,(e_i - \bar e_i)/\mathrm{std}(e_i))$ and softmax$(-γ d_i)$, minimised by Adam. An
expert whose training task is unknown (a black box) is learnt from the errors alone, $F_j = 0$.

Adam's learning rate is 0.05 and its weight decay 5e-4. There are two schedules:

- *printed*: `MOST_EPOCHS` epochs at that rate, the number at which the paper stops early; we add
  neither a warm-up nor a rule that stops earlier.
- *ours*: the rate of the first `WARM_UP` epochs is a tenth. The number of epochs is chosen by
  3-fold cross-validation among the training tasks, with two one-sided paired t-tests on the errors
  of the picks, standardised as in the soft labels: `WARM_UP` epochs if they are better than none
  (5%), the best larger number if it is better than that (1%, because the best of several is
  tested). Cross-validation ends after `MOST_EPOCHS`, or `PATIENCE` epochs after the best one.
  Chapter 11 says how these constants were fixed.

What the paper leaves open, and what both schedules take:

- *Start.* All biases are 0, so MODEL2VEC starts as asymmetric Task2Vec. Tasks and experts have the
  distances' prior, $F + $ prior · trivial. A black box has the mean trivial embedding of the tasks,
  so it starts as the trivial task.
- *Units.* Every layer is divided by its mean over tasks and experts. No distance changes by that,
  and a step of Adam is the same share of a typical filter in every layer.
- *Constraint.* After every step $m_j$ is clipped to at least `LEAST` layer means, since a distance
  needs $m_j ≥ 0$. The bias stays additive, and 0 where nothing was learnt, unlike a bias inside an
  exponential or softplus.
- *Temperature.* γ starts at the minimum of the loss at $b = 0$ and is learnt with the biases, as
  log γ, which keeps it positive. It has no weight decay.
- *Batches.* An epoch is one step on all tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor

from t2v._numerics.differentiable import paired_symmetric, symmetric_matrix
from t2v.distances import ALPHA, DEFAULT_PRIOR, asymmetric_parts, with_prior
from t2v.errors import InputError
from t2v.evaluation import nearest_eligible
from t2v.meta_task import Query
from t2v.selection import Ranking, ranked

Array = NDArray[np.float64]

SHARPNESS = 20.0  # of the soft labels (C.3)
LEARNING_RATE = 0.05  # C.3; its unit, here the layer mean, is not in the paper
WARM_UP = 8  # epochs at a tenth of that rate
WEIGHT_DECAY = 5e-4  # C.3
MOST_EPOCHS = 81  # C.3
PATIENCE = 8  # epochs without a better one, after which cross-validation ends
FOLDS = 3  # of the training tasks, to choose the number of epochs
LEVEL = 0.05  # of the test that the first epochs are better than none
LEVEL_OF_MORE = 0.01  # of the test that the best number is better still
LEAST = 1e-3  # layer means
SCHEDULES = ("ours", "printed")


@dataclass(frozen=True, eq=False)
class Model2Vec:
    """Experts as points in the space of tasks.

    Attributes:
        models: float64 `[M, F]`, the experts' m, in units of `scale`.
        trivial: `[M, F]`, the experts' trivial embeddings, in units of `scale`.
        scale: `[F]`, mean of each filter's layer.
        prior: multiple of the trivial embedding that is added to every embedding.
        alpha: weight of the distance to the trivial task.
        gamma: inverse temperature of the softmax over distances.
        epochs: number of epochs learnt.
        curve: mean standardised error of the picks for held-out training tasks after 0, 1, ...
            epochs of cross-validation (0 is the mean expert's); empty where there was none.
    """

    models: Array
    trivial: Array
    scale: Array
    prior: float
    alpha: float
    gamma: float
    epochs: int
    curve: Array

    @classmethod
    def fit(
        cls,
        embeddings: Sequence[Any],
        errors: ArrayLike,
        experts: Sequence[Any] | None = None,
        eligible: ArrayLike | None = None,
        *,
        schedule: str = "ours",
        epochs: int | None = None,
        prior: float = DEFAULT_PRIOR,
        alpha: float = ALPHA,
    ) -> Model2Vec:
        """Learn the experts' positions from their errors on other tasks.

        Args:
            embeddings: R embeddings of training tasks.
            errors: `[R, M]`, the experts' errors on these tasks, in [0, 1].
            experts: M embeddings of the experts' training tasks, `None` for a black box; default:
                all are black boxes.
            eligible: bool `[R, M]`, the errors to learn from; default: all.
            schedule: "ours" or "printed", see the module.
            epochs: number of epochs; 0: no bias; default: that of the schedule.
            prior: multiple of the trivial embedding, see `distance_matrix`.
            alpha: weight of the distance to the trivial task, see `distance_matrix`.

        Raises:
            InputError: for another schedule, if shapes do not fit, or if fewer than two tasks have
                two eligible experts.

        Examples:
            Two black boxes, each good at tasks of one kind:

            >>> from t2v import Embedding
            >>> def embedding(*fisher):
            ...     return Embedding(np.array(fisher), np.full(2, np.mean(fisher)), {"": slice(2)})
            >>> tasks = [embedding(x, y) for x, y in ((4.0, 1.0), (3.0, 1.0), (1.0, 4.0))]
            >>> model = Model2Vec.fit(tasks, [[0.1, 0.4], [0.1, 0.3], [0.4, 0.2]], epochs=20)
            >>> model.rank(embedding(1.0, 5.0))
            array([1, 0])
        """
        if schedule not in SCHEDULES:
            raise InputError(f"schedule={schedule!r}: one of {', '.join(SCHEDULES)}")
        errors = np.asarray(errors, dtype=np.float64)
        experts = [None] * errors.shape[-1] if experts is None else list(experts)
        mask = np.ones(errors.shape, bool) if eligible is None else np.asarray(eligible, bool)
        if errors.shape != (len(embeddings), len(experts)) or mask.shape != errors.shape:
            raise InputError(
                f"errors: expected {len(embeddings)} tasks by {len(experts)} experts; "
                f"got {errors.shape}, eligible {mask.shape}"
            )
        usable = np.flatnonzero(mask.sum(1) > 1)
        if len(usable) < 2:
            raise InputError("MODEL2VEC: needs two tasks with at least two eligible experts each")
        tasks = np.array([with_prior(e.fisher, e.trivial, prior) for e in embeddings])[usable]
        mean_trivial = np.mean([e.trivial for e in embeddings], axis=0)
        trivial = np.array([mean_trivial if e is None else e.trivial for e in experts])
        fisher = np.array([0 * mean_trivial if e is None else e.fisher for e in experts])
        start = with_prior(fisher, trivial, prior)
        scale = _layer_means(np.concatenate([tasks, start]), embeddings[0].layers)
        problem = _Problem(
            tasks / scale, np.maximum(start / scale, LEAST), trivial / scale, alpha,
            errors[usable], mask[usable],
        )  # fmt: skip
        curve = np.zeros(0)
        if epochs is None and schedule == "printed":
            epochs = MOST_EPOCHS
        if epochs is None:
            picked = _cross_validate(problem)
            curve, epochs = picked.mean(1), _epochs(picked)
        warm_up = WARM_UP if schedule == "ours" else 0
        training = _Training(problem, np.ones(len(usable), bool), warm_up)
        for _ in range(epochs):
            training.step()
        models, gamma = training.models, training.gamma
        return cls(models, trivial / scale, scale, prior, alpha, gamma, epochs, curve)

    def distance(self, target: Any) -> Array:
        """Asymmetric distances `[M]` from the experts' learnt positions to a task."""
        task = with_prior(target.fisher, target.trivial, self.prior) / self.scale
        symmetric, offset = asymmetric_parts(
            task[None], self.models, prior=0, trivial=self.trivial, jobs=1
        )
        return symmetric[0] - self.alpha * offset

    def rank(self, target: Any, eligible: ArrayLike | None = None) -> Ranking:
        """Positions of the eligible experts (default: all), best first."""
        mask = np.ones(len(self.models), bool) if eligible is None else np.asarray(eligible)
        return ranked(self.distance(target), mask)


@dataclass(frozen=True)
class Model2VecStrategy:
    """MODEL2VEC as a strategy of `t2v.selection`, fitted for each query to its other tasks.

    Attributes:
        name: label in tables and figures.
        options: keyword arguments of `Model2Vec.fit`.
    """

    name: str = "MODEL2VEC"
    options: dict[str, Any] = field(default_factory=dict)

    def select(self, query: Query) -> Ranking:
        """Experts by asymmetric distance from their learnt positions."""
        others = query.others
        model = Model2Vec.fit(
            others.tasks, others.errors, others.experts, others.eligible, **self.options
        )
        return model.rank(query.target, query.eligible)


AS_PRINTED = Model2VecStrategy("MODEL2VEC, as printed", {"schedule": "printed"})
"""MODEL2VEC with the paper's number of epochs, untested."""


@dataclass(frozen=True, eq=False)
class _Problem:
    tasks: Array  # [R, F]
    start: Array  # [M, F]
    trivial: Array  # [M, F]
    alpha: float
    errors: Array  # [R, M]
    eligible: NDArray[np.bool_]

    def standardised(self) -> Array:
        """Errors `[R, M]` minus their task's mean, divided by their task's standard deviation."""
        e = np.where(self.eligible, self.errors, np.nan)
        std = np.nanstd(e, axis=1, keepdims=True)
        return (e - np.nanmean(e, axis=1, keepdims=True)) / np.where(std > 0, std, 1)

    def labels(self) -> Tensor:
        """Soft labels `[R, M]`."""
        logits = np.where(self.eligible, -SHARPNESS * self.standardised(), -np.inf)
        return torch.tensor(logits).softmax(1).float()


def _layer_means(values: Array, layers: dict[str, slice]) -> Array:
    scale = np.ones(values.shape[1])
    for part in layers.values():
        mean = values[:, part].mean()
        scale[part] = mean if mean > 0 else 1
    return scale


class _Training:
    """The biases and γ, learnt from the tasks of the mask `use`, one epoch per step.

    Attributes:
        distance: float32 `[R, M]`, between all tasks and the experts as they are now.
    """

    def __init__(self, problem: _Problem, use: NDArray[np.bool_], warm_up: int = WARM_UP):
        self._problem, self._use = problem, torch.tensor(use)
        self._tasks, self._start, self._trivial = (
            torch.tensor(x, dtype=torch.float32)
            for x in (problem.tasks, problem.start, problem.trivial)
        )
        self._labels = problem.labels()[use]
        mask = np.where(problem.eligible, 0.0, -torch.inf)
        self._mask = torch.tensor(mask, dtype=torch.float32)[use]
        self._bias = torch.zeros_like(self._start, requires_grad=True)
        self.distance = self._distances()
        grid = torch.linspace(0, 8, 81)
        with torch.no_grad():
            losses = [float(self._loss(log_gamma)) for log_gamma in grid]
        self._log_gamma = grid[int(np.argmin(losses))].clone().requires_grad_()
        biases: dict[str, Any] = {"params": [self._bias], "weight_decay": WEIGHT_DECAY}
        self._optimiser = torch.optim.Adam(
            [biases, {"params": [self._log_gamma]}], lr=LEARNING_RATE
        )
        self._schedule = torch.optim.lr_scheduler.ConstantLR(
            self._optimiser, 0.1 if warm_up else 1.0, total_iters=warm_up
        )

    @property
    def models(self) -> Array:
        bias = self._bias.detach().double().numpy()
        return np.maximum(self._problem.start + bias, LEAST)

    @property
    def gamma(self) -> float:
        return float(self._log_gamma.detach().exp())

    def step(self) -> None:
        self._optimiser.zero_grad()
        self._loss(self._log_gamma).backward()
        self._optimiser.step()
        self._schedule.step()
        with torch.no_grad():
            torch.maximum(self._bias, LEAST - self._start, out=self._bias)
        self.distance = self._distances()

    def _distances(self) -> Tensor:
        m = self._start + self._bias
        return symmetric_matrix(self._tasks, m) - self._problem.alpha * paired_symmetric(
            m, self._trivial
        )

    def _loss(self, log_gamma: Tensor) -> Tensor:
        log_p = (-log_gamma.exp() * self.distance[self._use] + self._mask).log_softmax(1)
        return -(self._labels * log_p.clamp(min=-1e4)).sum(1).mean()


def _cross_validate(problem: _Problem) -> Array:
    """Standardised errors `[epochs + 1, R]` of the picks for each task while it is held out."""
    count, standardised = len(problem.tasks), problem.standardised()
    folds = min(FOLDS, count)
    fold_of = np.random.default_rng(0).permutation(count) % folds  # tasks are ordered by group
    trainings = [_Training(problem, fold_of != fold) for fold in range(folds)]
    picked: list[Array] = []
    while True:
        picks = np.zeros(count, dtype=np.intp)
        for fold, training in enumerate(trainings):
            out = fold_of == fold
            distance = training.distance.detach().numpy()[out]
            picks[out] = nearest_eligible(distance, problem.eligible[out])
        picked.append(standardised[np.arange(count), picks])
        epoch = len(picked) - 1
        if epoch == MOST_EPOCHS or epoch - _best(np.array(picked)) == PATIENCE:
            return np.array(picked)
        for training in trainings:
            training.step()


def _best(picked: Array) -> int:
    """The best number of epochs from `WARM_UP` on; `picked` `[epochs + 1, R]`."""
    later = picked[WARM_UP:].mean(1)
    return WARM_UP + int(later.argmin()) if len(later) else WARM_UP


def _epochs(picked: Array) -> int:
    """0, `WARM_UP` or the best larger number, by two paired tests; `picked` `[epochs + 1, R]`."""
    first = WARM_UP if _less(picked[WARM_UP], picked[0], LEVEL) else 0
    best = _best(picked)
    return best if _less(picked[best], picked[first], LEVEL_OF_MORE) else first


def _less(one: Array, other: Array, level: float) -> bool:
    if np.ptp(other - one) < 1e-9:  # a t-test needs scatter
        return False
    return bool(stats.ttest_rel(other, one, alternative="greater").pvalue < level)
