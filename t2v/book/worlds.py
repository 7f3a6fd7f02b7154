"""Claims of the chapters, measured on several drawn worlds."""

from __future__ import annotations

import pandas as pd

from t2v.evaluation import mean_interval

SHARES = ("phylogeny_same_class", "aviary_same_class")
"""Claims whose value is a share: their intervals end at 0 and 1."""


def over_worlds(measured: pd.DataFrame | None) -> pd.DataFrame:
    """Mean of every claim over worlds, with its 95% interval.

    Args:
        measured: kept table `claims` or `priors`, one row for each world, claim and prior of the
            distance; `None` counts as empty.

    Returns:
        One row for each claim and prior: `claim`, `prior`, the `level` that the mean should reach,
        the `seeds` of the worlds as text, their number `worlds`, `mean`, `low` and `high`
        (Student's interval).
    """
    columns = ["claim", "prior", "level", "seeds", "worlds", "mean", "low", "high"]
    if measured is None:
        return pd.DataFrame(columns=columns)
    rows = []
    for (claim, prior), part in measured.groupby(["claim", "prior"]):
        mean, *ends = mean_interval(part.value)
        if claim in SHARES:
            ends = [min(max(end, 0), 1) for end in ends]
        seeds = sorted(set(part.seed))
        text = ", ".join(map(str, seeds))
        rows.append((claim, prior, part.level.iloc[0], text, len(seeds), mean, *ends))
    return pd.DataFrame(rows, columns=columns)
