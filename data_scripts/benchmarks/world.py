"""Images per second of the procedural world, for each body plan.

    python -m data_scripts.benchmarks.world

One thread per core, 48 px, the system's own allocator. Two rates are printed: by wall time, and by
processor time for two free cores, which does not depend on other programs.
"""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from joblib import Parallel, delayed

from t2v.libraries.worlds.creatures import images as creatures
from t2v.libraries.worlds.creatures.evolution import grow_world


def main(images: int = 1200) -> None:
    """Print one line per body plan, and the mean time of an image over all plans."""
    torch.set_num_threads(1)
    here = grow_world("paper", 0)
    cores = os.cpu_count() or 1
    seconds, work = [], []
    for top, plan in here.plans.items():
        species = np.resize(here.species(top), images // 8)
        rng = np.random.default_rng(0)
        who = [creatures.sample_individuals(here, species, rng) for _ in range(8)]
        creatures.draw_individuals(creatures.sample_individuals(here, species[:24], rng))  # warm up
        start, busy = time.perf_counter(), time.process_time()
        Parallel(n_jobs=cores, prefer="threads")(
            delayed(creatures.draw_individuals)(w) for w in who
        )
        seconds.append((time.perf_counter() - start) / (8 * len(species)))
        work.append((time.process_time() - busy) / (8 * len(species)))
        free = 2 / work[-1]
        print(f"{plan.name:12s} {1 / seconds[-1]:7.0f} images/s, {free:7.0f} on two free cores")
    print(f"all plans    {1 / np.mean(seconds):7.0f} images/s on {cores} cores as they are")
    print(f"             {2 / np.mean(work):7.0f} images/s on two free cores")


if __name__ == "__main__":
    main()
