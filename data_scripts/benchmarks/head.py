"""Time to fit the head of a task, compared with scikit-learn on the same objective.

Features are those of the probe `synthetic`, for the largest task of each part of the synthetic
library. Two times are measured: of one fit with a given weight decay, and of the search for the
weight decay that gives the head's fixed weight norm (with scikit-learn, by Brent's method).

    python -m data_scripts.benchmarks.head
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from t2v import Task, fit_head, load_library, load_probe
from t2v.head import WEIGHT_NORM


def by_sklearn(z: np.ndarray, y: np.ndarray, decay: float, solver: str) -> np.ndarray:
    """Weights `[K, D]`; of two classes their difference `[1, D]`, with half the penalty.

    Args:
        z: standardised features `[N, D]`.
        y: labels `[N]`.
        decay: weight decay λ.
        solver: solver of scikit-learn.
    """
    two = y.max() == 1
    share = 1 / ((y.max() + 1) * np.bincount(y)[y])
    model = LogisticRegression(C=(2 if two else 1) / decay, solver=solver, tol=1e-6, max_iter=3000)
    return model.fit(z, y, sample_weight=share).coef_


def search(z: np.ndarray, y: np.ndarray, solver: str) -> float:
    """Weight decay of the head with the fixed weight norm; arguments as in `by_sklearn`."""
    size = WEIGHT_NORM * y.max() ** 0.5 * (2**0.5 if y.max() == 1 else 1)

    def excess(log_decay: float) -> float:
        norm = np.linalg.norm(by_sklearn(z, y, np.exp(log_decay), solver))
        return float(np.log(norm / size))

    return float(np.exp(brentq(excess, np.log(1e-5), np.log(1e2), xtol=1e-3)))


def cpu_seconds(function: Callable[..., Any], *values: Any, **options: Any) -> tuple[float, Any]:
    """Processor time and result of a second call, after a first one as a warm-up."""
    function(*values, **options)
    start = time.process_time()
    result = function(*values, **options)
    return time.process_time() - start, result


def main() -> None:
    """Print a line per task and solver."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="laptop")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    probe = load_probe("synthetic")
    tasks = load_library("synthetic", arguments.scale).tasks
    parts: dict[str, list[Task]] = {}
    for task in tasks:
        part = "aviary" if task.name.startswith("aviary") else task.lineage[0]
        parts.setdefault(part, []).append(task)
    print(
        "task                 images classes  solver            given, s  ratio  search, s  ratio"
    )
    for members in parts.values():
        task = max(members, key=lambda task: len(task.train)).train
        x, y = probe.features(task.images), task.labels
        head_seconds, head = cpu_seconds(fit_head, x, y)
        decay = head.weight_decay
        seconds, _ = cpu_seconds(fit_head, x, y, weight_decay=decay)
        about = f"{task.name[:20]:20} {len(y):6} {int(y.max()) + 1:7}"
        print(f"{about}  ours              {seconds:8.3f}         {head_seconds:9.2f}")
        z = x.double().numpy()
        z = (z - z.mean(0)) / np.sqrt(np.square(z).mean())
        for solver in ("lbfgs", "newton-cg", "newton-cholesky"):
            one, _ = cpu_seconds(by_sklearn, z, y.numpy(), decay, solver)
            start = time.process_time()
            theirs = search(z, y.numpy(), solver)
            whole = time.process_time() - start
            assert abs(theirs / decay - 1) < 0.02, (theirs, decay)
            print(
                f"{about}  {solver:16}  {one:8.3f} {one / seconds:6.1f} {whole:10.2f} "
                f"{whole / head_seconds:6.1f}"
            )


if __name__ == "__main__":
    main()
