"""The asymmetric distance by form of the trivial embedding and α, on drawn worlds of given seeds.

    python -m data_scripts.claims.trivial_forms --seeds 302 303 304 305 306 --out FILE.csv
    python -m data_scripts.claims.trivial_forms --seeds 2 --scale smoke    # does it run?

The worlds, experts and errors are those of `data_scripts.claims.selection`, so that what one of the
two has computed comes from the cache in the other. The table is written after every seed; seeds
that it has already are not run again.

The default form is decided on the development worlds 0 and 1, before any other world is looked at:
it is the one whose increase at α = .15 is the smallest on average over the four rows of a world
(living and mixed, with overlap and without), each row with the same weight. The form "own" stays
unless another is better in both worlds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from data_scripts.claims.resume import seed_by_seed
from data_scripts.claims.selection import meta_tasks_of
from t2v.book import tables
from t2v.book.trivial_forms import ALPHAS, BASELINES, forms_of
from t2v.evaluation import bootstrap, mean_interval, relative_increases
from t2v.meta_task import MetaTask
from t2v.probe import Probe
from t2v.selection import Nearest, Strategy, leave_one_out

COLUMNS = {
    "seed": ("", "seed of the world and of the experts' training"),
    "meta_task": ("", "living: as iNat+CUB; mixed: as Mixed"),
    "overlap": ("", "experts whose training task shares classes with the task are eligible"),
    "tasks": ("tasks", "number of tasks of the meta-task"),
    "experts": ("experts", "number of experts of the meta-task"),
    "form": ("", "form of the trivial embedding, or a strategy without one"),
    "alpha": ("", "weight of the second term; empty: a strategy without one"),
    "error": ("share", "mean error reached"),
    "increase": ("ratio", "mean relative error increase over the best eligible expert"),
    "low": ("ratio", "of its 95% bootstrap interval over the tasks of this world"),
    "high": ("ratio", "of the same"),
    "commit": ("", "of the code that made the row"),
}


def strategies(probe: Probe, embedding: Any) -> Iterator[tuple[str, float | None, Strategy]]:
    """Form, α and strategy of each row.

    Args:
        probe: the probe, whose weights give the form "probe" with the default β.
        embedding: an embedding by it, for its layers.
    """
    for baseline in BASELINES:
        yield baseline.name, None, baseline
    for form, options in forms_of(probe, embedding).items():
        for alpha in ALPHAS:
            yield form, alpha, Nearest("asymmetric", alpha=alpha, **options)
        yield f"{form}, α chosen", None, Nearest("asymmetric", alpha="chosen", **options)


def measure(seed: int, scale: str, probe: Probe) -> Iterator[dict[str, Any]]:
    """The rows of one world: every form and α on both meta-tasks, with overlap and without.

    Args:
        seed: seed of the world and of the experts' training.
        scale: scale of the library.
        probe: the generic network, and the probe.
    """
    for name, overlap, meta in meta_tasks_of(seed, scale, probe):
        world = {"seed": seed, "meta_task": name, "overlap": overlap, "commit": tables.commit()}
        world |= {"tasks": len(meta.tasks), "experts": len(meta.experts)}
        for form, alpha, strategy in strategies(probe, meta.tasks[0]):
            yield {key: (world | _row(meta, form, alpha, strategy))[key] for key in COLUMNS}


def _row(meta: MetaTask, form: str, alpha: float | None, strategy: Strategy) -> dict[str, Any]:
    errors = leave_one_out(strategy, meta, jobs=1).errors
    increase = bootstrap(relative_increases(errors, meta.errors, meta.eligible, meta.floor))
    return {
        "form": form,
        "alpha": np.nan if alpha is None else alpha,
        "error": float(errors.mean()),
        "increase": increase.value,
        "low": increase.low,
        "high": increase.high,
    }


def report(frame: pd.DataFrame) -> str:
    """Mean increases in % by form and α, and those of α .15 minus α 0 with Student's interval."""
    lines = []
    for (name, overlap), part in frame.groupby(["meta_task", "overlap"], sort=False):
        lines.append(f"{name}, overlap {overlap}; α = {', '.join(f'{a:g}' for a in ALPHAS)}")
        for form, rows in part.groupby("form", sort=False):
            by_seed = 100 * rows.pivot_table("increase", "seed", "alpha")
            if by_seed.empty:
                lines.append(f"  {form:22}{100 * rows.increase.mean():8.1f}")
                continue
            text = "".join(f"{value:8.1f}" for value in by_seed.mean())
            difference = by_seed[0.15] - by_seed[0.0]
            text += f"   .15 - 0: {difference.mean():+.1f}"
            if len(difference) > 1:
                interval = mean_interval(difference)
                text += f" [{interval.low:+.1f}, {interval.high:+.1f}]"
            lines.append(f"  {form:22}{text}")
    return "\n".join(lines)


def main() -> None:
    """Measure the forms, write the table after every seed if asked to, and print means."""
    seed_by_seed(__doc__, measure, COLUMNS, report)


if __name__ == "__main__":
    main()
