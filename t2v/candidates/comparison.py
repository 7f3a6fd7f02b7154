"""Errors of networks on a task, cross-validated, and which of them is best, as far as one can tell.

The linear probe and the nearest neighbours are those of `t2v.transferability`. All networks are
measured on the same folds, so that they can be compared image by image. Intervals are over the
images that are measured; that other images for training would have given other classifiers is not
in them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v._run.cache import cached_call
from t2v._run.progress import bar
from t2v.candidates.best_set import LEVEL, BestSet, best_set
from t2v.candidates.evaluated import evaluated
from t2v.candidates.kept import Measured
from t2v.candidates.network import HandMade
from t2v.errors import InputError
from t2v.evaluation import Estimate

FOLDS = 5
FEW = 10  # images of a class, below which an answer is called rough
SPREAD = 1.3  # of errors for shuffled labels, beside that of guesses: folds share what they learn

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """M networks, and features without one, on one task; the smallest error comes first.

    Attributes:
        names: names of the M networks.
        parameters: `[M]`, number of weights.
        top1: `[M]`, published accuracy on ImageNet, in [0, 1]; `None` where none is stated.
        errors: M class-balanced errors of the linear probe, with intervals over images.
        neighbours: `[M]`, class-balanced error of the nearest neighbours.
        p_best: `[M]`, share of bootstrap samples in which the network errs least of the M.
        inside: `[M]`, whether it may be the best one, see `t2v.candidates.best_set`.
        leep: `[M]`, LEEP of its own head, nats per image; NaN without one.
        logme: `[M]`, LogME, nats per image.
        by_hand: error of HOG features with its interval; `None` if they were not measured.
        hog_inside: whether HOG belongs into the set of those that may be the best.
        chance: error of naming one class always, 1 − 1/K.
        beats_chance: whether some network errs less than that, by more than luck.
        images: number of images.
        classes: number of classes.
        fewest: number of images of the smallest class.
        folds: number of folds.
    """

    names: tuple[str, ...]
    parameters: tuple[int, ...]
    top1: tuple[float | None, ...]
    errors: list[Estimate]
    neighbours: Array
    p_best: Array
    inside: NDArray[np.bool_]
    leep: Array
    logme: Array
    by_hand: Estimate | None
    hog_inside: bool
    chance: float
    beats_chance: bool
    images: int
    classes: int
    fewest: int
    folds: int

    @property
    def undecided(self) -> tuple[str, ...]:
        """Names of the networks that may be the best, the smallest error first."""
        return tuple(n for n, inside in zip(self.names, self.inside, strict=True) if inside)

    @property
    def smallest(self) -> str | None:
        """The smallest network of those that may be the best; `None` if none beats chance."""
        if not self.beats_chance:
            return None
        sizes = dict(zip(self.names, self.parameters, strict=True))
        return min(self.undecided, key=lambda name: sizes[name])

    @property
    def take(self) -> str | None:
        """The network of those that may be the best with the highest published accuracy.

        Where none is stated for one of them, that with the least error here; `None` if none beats
        chance.
        """
        if not self.beats_chance:
            return None
        published = dict(zip(self.names, self.top1, strict=True))
        if any(published[name] is None for name in self.undecided):
            return self.names[0]
        return max(self.undecided, key=lambda name: published[name] or 0.0)


def compare(
    measured: Measured,
    labels: ArrayLike,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    evidence: bool = True,
    progress: bool = False,
) -> Comparison:
    """Compare networks on a task.

    Args:
        measured: features of N images by M networks and, perhaps, by `HandMade`.
        labels: `[N]`, class of each image, as numbers.
        folds: number of folds; fewer where a class has fewer images.
        seed: seed of folds and bootstrap.
        evidence: compute LEEP and LogME too.
        progress: show a progress bar.

    Raises:
        InputError: no network, a class with one image, or fewer than two classes.
    """
    y = np.unique(np.asarray(labels), return_inverse=True)[1]
    counts = np.bincount(y)
    if len(counts) < 2 or counts.min() < 2:
        raise InputError(
            f"a comparison needs two classes or more, and two images of each; got {len(counts)} "
            f"classes, the smallest with {counts.min()}"
        )
    hand = [m for m, n in enumerate(measured.networks) if isinstance(n, HandMade)]
    networks = [m for m in range(len(measured.networks)) if m not in hand]
    if not networks:
        raise InputError("a comparison needs a network")
    folds = int(min(folds, counts.min()))
    content = hashlib.sha256(repr(measured.ids).encode() + y.astype(np.int64).tobytes())
    found = {}
    order = [*networks, *hand]
    for m in bar(order, "classifiers", len(order), progress):
        key = (measured.networks[m].key, content.hexdigest(), folds, seed, evidence)
        found[m] = cached_call(evaluated, key, (measured, m, y))
    mistakes = {m: found[m]["linear"] != y for m in found}
    result = best_set(np.array([mistakes[m] for m in networks]), y, seed=seed)
    by_hand, hog_inside = None, False
    if hand:
        with_hand = best_set(np.array([mistakes[m] for m in order]), y, seed=seed)
        by_hand, hog_inside = with_hand.intervals[-1], bool(with_hand.inside[-1])
    sizes = np.array([measured.networks[m].candidate.parameters or 0 for m in networks])
    rank = np.lexsort((sizes, result.errors))
    chance = 1 - 1 / len(counts)
    return Comparison(
        names=tuple(measured.networks[networks[r]].name for r in rank),
        parameters=tuple(int(sizes[r]) for r in rank),
        top1=tuple(measured.networks[networks[r]].candidate.top1 for r in rank),
        errors=[result.intervals[r] for r in rank],
        neighbours=np.array([_error(found[networks[r]]["neighbours"], y) for r in rank]),
        p_best=result.p_best[rank],
        inside=result.inside[rank],
        leep=np.array([found[networks[r]]["leep"] for r in rank]),
        logme=np.array([found[networks[r]]["logme"] for r in rank]),
        by_hand=by_hand,
        hog_inside=hog_inside,
        chance=chance,
        beats_chance=_beats(result, counts, chance),
        images=len(y),
        classes=len(counts),
        fewest=int(counts.min()),
        folds=folds,
    )


def _beats(result: BestSet, counts: NDArray[np.intp], chance: float) -> bool:
    """Whether the best of M networks errs less than chance, corrected for the choice of M.

    The standard deviation is that of guesses, which are right with probability 1/K, times `SPREAD`.
    """
    n = len(counts) ** 2 / (1 / counts).sum()
    z = SPREAD * stats.norm.ppf(1 - (1 - LEVEL) / len(result.errors))
    return bool(result.errors.min() < chance - z * np.sqrt(chance * (1 - chance) / n))


def _error(predicted: NDArray, labels: NDArray) -> float:
    shares = [(predicted[labels == k] != k).mean() for k in range(labels.max() + 1)]
    return float(np.mean(shares).round(12))
