"""Time of all distances between the paper's 1,460 tasks, 8,512 filters each (ResNet-34).

They are compared with the same formula pair by pair with scipy, as in the authors' code (measured
on a few hundred pairs and extrapolated).

    python -m data_scripts.benchmarks.distances
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import scipy.spatial.distance as pairwise

from t2v.distances import distance_matrix

PAIRWISE = {
    "symmetric": lambda a, b: pairwise.cosine(a / (a + b), b / (a + b)),
    "correlation": lambda a, b: pairwise.correlation(1 / a, 1 / b),
    "kl": lambda a, b: np.maximum(divergence(1 / a, 1 / b), divergence(1 / b, 1 / a)).sum(),
    "jensen_shannon": lambda a, b: (
        (divergence(1 / a, (1 / a + 1 / b) / 2) + divergence(1 / b, (1 / a + 1 / b) / 2)).mean() / 2
    ),
}


def divergence(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """KL divergence of centred normal distributions of variances v and w, for each filter."""
    return 0.5 * (v / w - 1 + np.log(w) - np.log(v))


def main() -> None:
    """Print one line per distance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1460)
    parser.add_argument("--filters", type=int, default=8512)
    parser.add_argument("--pairs", type=int, default=300, help="pairs that are timed one by one")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    fisher = rng.lognormal(sigma=2, size=(arguments.tasks, arguments.filters))
    all_pairs = arguments.tasks * (arguments.tasks - 1) // 2
    chosen = rng.integers(0, arguments.tasks, (arguments.pairs, 2))
    print("distance         wall s  cpu s   by pairs, cpu s  ratio of cpu  largest difference")
    for kind, one in PAIRWISE.items():
        start, start_cpu = time.perf_counter(), time.process_time()
        ours = distance_matrix(fisher, kind=kind)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        start = time.process_time()
        theirs = np.array([one(fisher[i], fisher[j]) for i, j in chosen])
        extrapolated = (time.process_time() - start) / arguments.pairs * all_pairs
        difference = np.abs(ours[chosen[:, 0], chosen[:, 1]] / np.where(theirs == 0, 1, theirs) - 1)
        difference = difference[chosen[:, 0] != chosen[:, 1]].max()
        print(
            f"{kind:16} {seconds:6.1f} {cpu:6.1f} {extrapolated:17.0f} "
            f"{extrapolated / cpu:13.1f}  {difference:.1e}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB, of which the embeddings {fisher.nbytes / 2**30:.2f}")


if __name__ == "__main__":
    main()
