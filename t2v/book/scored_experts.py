"""Every expert scored on half of the images of every task, by all transferability scores.

Two variants stand beside the scores as published: LEEP without its logarithm, and LogME with the
number of features as the power of α. Both are what some public code computes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.model_selection import train_test_split

from t2v import transferability as scores
from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.experts.features import Features, device_of, identity
from t2v.head import Head
from t2v.task import Task

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST = 150
"""Largest number of images of a task that are scored; never more than half of them."""

FOLDS = 3  # a rare class of the open zoo has five images in the half that is scored


def mean_probability(theta: ArrayLike, labels: ArrayLike) -> float:
    """LEEP without the logarithm: mean predicted probability of the labels, as in some public code.

    Args:
        theta: `[N, Z]`, the head's softmax.
        labels: `[N]`, class of each image.
    """
    theta, y = np.asarray(theta, dtype=np.float64), np.unique(labels, return_inverse=True)[1]
    joint = np.eye(y.max() + 1)[y].T @ theta
    mass = joint.sum(0)
    conditional = np.divide(joint, mass, out=np.zeros_like(joint), where=mass > 0)
    return float((conditional[y] * theta).sum(1).mean())


def logme_with_power(features: ArrayLike, labels: ArrayLike, power: int | None = None) -> float:
    """LogME with any power of α in the evidence, by the fixed point of public code (11 steps).

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image.
        power: the power of √α; `None`: the rank of the features, which makes it the evidence. With
            D, as in some public code, it is not.
    """
    f = np.asarray(features, dtype=np.float64)
    targets = np.eye(len(np.unique(labels)))[np.unique(labels, return_inverse=True)[1]]
    left, singular, _ = np.linalg.svd(f, full_matrices=False)
    kept = singular > max(f.shape) * np.finfo(float).eps * singular[0]
    s, n, shares = singular[kept] ** 2, len(f), (left[:, kept].T @ targets).T ** 2
    values = []
    for share, total in zip(shares, (targets**2).sum(0), strict=True):
        rest, ratio = max(total - share.sum(), 0.0), 1.0  # ratio: α over β
        for _ in range(11):
            gamma = (s / (s + ratio)).sum()
            alpha = gamma / (s * share / (s + ratio) ** 2).sum()
            beta = (n - gamma) / (rest + (share * (ratio / (s + ratio)) ** 2).sum())
            before, ratio = ratio, alpha / beta
            if abs(ratio - before) <= 1e-3 * before:
                break
        # α and β are such that the two square sums of the exponent together are N
        log = n * np.log(beta) - np.log(alpha + beta * s).sum() + (power or len(s)) * np.log(alpha)
        values.append((log / n - 1 - np.log(2 * np.pi)) / 2)
    return float(np.mean(values))


def _with_dimension(features: Array, labels: Any) -> float:
    return logme_with_power(features, labels, features.shape[1])


OF_HEAD: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "LEEP": scores.leep,
        "LEEP, cross-fitted": partial(scores.leep, folds=FOLDS),
        "LEEP without the logarithm": mean_probability,
        "NCE": scores.nce,
        "NCE, cross-fitted": partial(scores.nce, folds=FOLDS),
    }
)
"""Name of each score of an expert's own head to its function."""

OF_FEATURES: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "H-score, regularised": scores.regularised_h_score,
        "LogME with the power D": _with_dimension,
        "SFDA, cross-fitted": partial(scores.sfda, folds=FOLDS),
    }
)
"""Name of each score of the features in which their number D has a part, to its function."""

OF_GEOMETRY: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "LogME": scores.logme,
        "N-LEEP, cross-fitted": partial(scores.n_leep, folds=FOLDS),
        "GBC": scores.gbc,
        "PARC": scores.parc,
        "TransRate": scores.transrate,
        "TransRate, classes centred": partial(scores.transrate, centred_classes=True),
        "nearest neighbours": partial(scores.nearest_neighbours, folds=FOLDS),
        "linear probe": partial(scores.linear_probe, folds=FOLDS),
    }
)
"""Name of each score that a rotation of the features leaves as it is, to its function."""

SCORED = (*OF_HEAD, *OF_FEATURES, *OF_GEOMETRY)


def seen_images(task: Task, seed: int = 0) -> NDArray[np.bool_]:
    """The images of a task that are scored: half, at most `MOST`, classes in proportion, `[N]`."""
    count = min(len(task) // 2, MOST)
    labels = task.labels.numpy()
    drawn, _ = train_test_split(
        np.arange(len(labels)), train_size=count, stratify=labels, random_state=seed
    )
    return np.isin(np.arange(len(labels)), drawn)


def own_probabilities(head: Head, features: ArrayLike) -> Array:
    """What an expert's own head says of images: probabilities of its own classes, `[N, Z]`.

    Args:
        head: the expert's head.
        features: `[N, D]` of its extractor.
    """
    return softmax(head.logits(torch.from_numpy(np.array(features, np.float64))).numpy(), axis=1)


def in_their_span(features: Array) -> Array:
    """Features `[N, D]` turned into the space that they span, `[N, min(N, D)]`."""
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    return left * singular


def score_experts(
    tasks: Sequence[Task],
    experts: Sequence[Expert],
    *,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> dict[str, Array]:
    """Every expert scored on half of the images of every task, cached by task.

    Args:
        tasks: T tasks.
        experts: M experts, each with its own head.
        seed: seed of the halves.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Returns:
        Name of each score to `[T, M]`, higher is better; NaN where a score is not defined.

    Raises:
        InputError: if an expert has no head.
    """
    tasks, experts = list(tasks), list(experts)
    heads = _heads(experts)
    jobs = jobs or default_jobs(*map(device_of, experts))
    features = Features(tasks, experts)  # in the cache if the error matrix was computed
    features.compute([(t, m) for t in range(len(tasks)) for m in range(len(experts))], jobs, False)
    of_experts = tuple((identity(e), _key(h)) for e, h in zip(experts, heads, strict=True))
    done = cached_map(
        _scored,
        [(task.fingerprint, of_experts, seed) for task in tasks],
        [([features.path(t, m) for m in range(len(experts))], heads, task)
         for t, task in enumerate(tasks)],
        jobs=jobs, what="scores", progress=progress,
        cost=lambda t: len(tasks[t]) * tasks[t].num_classes,
    )  # fmt: skip
    return {name: np.stack([values[s] for values in done]) for s, name in enumerate(SCORED)}


def seconds_of_scores(task: Task, expert: Expert, seed: int = 0) -> dict[str, float]:
    """CPU time of each score for one task and expert, features given, s.

    Args:
        task: the task.
        expert: the expert, with its own head.
        seed: seed of the halves.

    Raises:
        InputError: if the expert has no head.
    """
    [head] = _heads([expert])
    seen = seen_images(task, seed)
    features = expert.extractor.features(task.images).numpy()[seen].astype(np.float64)
    seconds = {}
    for name, function, array in _calls(features, head):
        started = time.process_time()
        _value(function, array, task.labels.numpy()[seen])
        seconds[name] = time.process_time() - started
    return seconds


def _heads(experts: Sequence[Expert]) -> list[Head]:
    heads = []
    for expert in experts:
        if expert.head is None:
            raise InputError(f"expert {expert.name!r}: has no head, so no classes of its own")
        heads.append(expert.head)
    return heads


def _key(head: Head) -> str:
    parts = (part.numpy().tobytes() for part in (head.weight, head.bias))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _scored(key: tuple, paths: list[Path], heads: list[Head], task: Task) -> Array:
    """Scores `[S, M]` of one task."""
    seen, labels = seen_images(task, key[2]), task.labels.numpy()
    values = np.empty((len(SCORED), len(heads)))
    for m, (path, head) in enumerate(zip(paths, heads, strict=True)):
        calls = _calls(np.load(path)[seen].astype(np.float64), head)
        values[:, m] = [_value(function, array, labels[seen]) for _, function, array in calls]
    return values


def _calls(features: Array, head: Head) -> Iterator[tuple[str, Callable[..., float], Array]]:
    """Each score by its name, its function, and the array that it is a function of."""
    arrays = (own_probabilities(head, features), features, in_their_span(features))
    for kind, array in zip((OF_HEAD, OF_FEATURES, OF_GEOMETRY), arrays, strict=True):
        yield from ((name, function, array) for name, function in kind.items())


def _value(function: Callable[..., float], array: Array, labels: Labels) -> float:
    try:
        return function(array, labels)
    except InputError:  # too few images for this score
        return np.nan
