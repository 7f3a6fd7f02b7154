"""Time to fit the head of a task: ours, against scikit-learn on the same objective.

Features are the embedded probe's, of the tasks of the synthetic library with most images of each
source. With the weight decay given, one fit each; for a head of the size all heads have, the search
for the weight decay: by scikit-learn as one would write it, with Brent's method.
Run: `python data_scripts/benchmarks/head.py`
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
    """Weights `[K, D]`, or of two classes `[1, D]`, their difference: half the penalty."""
    two = y.max() == 1
    share = 1 / ((y.max() + 1) * np.bincount(y)[y])
    model = LogisticRegression(C=(2 if two else 1) / decay, solver=solver, tol=1e-6, max_iter=3000)
    return model.fit(z, y, sample_weight=share).coef_


def search(z: np.ndarray, y: np.ndarray, solver: str) -> float:
    """Weight decay of the head whose weights have the usual size."""
    size = WEIGHT_NORM * y.max() ** 0.5 * (2**0.5 if y.max() == 1 else 1)

    def excess(log_decay: float) -> float:
        norm = np.linalg.norm(by_sklearn(z, y, np.exp(log_decay), solver))
        return float(np.log(norm / size))

    return float(np.exp(brentq(excess, np.log(1e-5), np.log(1e2), xtol=1e-3)))


def cpu_seconds(work: Callable[..., Any], *given: Any, **options: Any) -> tuple[float, Any]:
    """Of the second call, and what it gave: the first one warms up."""
    work(*given, **options)
    start = time.process_time()
    found = work(*given, **options)
    return time.process_time() - start, found


def main() -> None:
    """Print a line per task and solver."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="laptop")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    probe = load_probe("synthetic")
    tasks = load_library("synthetic", given.scale).tasks
    sources: dict[str, list[Task]] = {}
    for task in tasks:
        source = "aviary" if task.name.startswith("aviary") else task.lineage[0]
        sources.setdefault(source, []).append(task)
    print(
        "task                 images classes  solver            given, s  ratio  search, s  ratio"
    )
    for members in sources.values():
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
