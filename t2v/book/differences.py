"""Differences of paired numbers, over tasks or over worlds, and the words that they bear out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from t2v.evaluation import Estimate, mean_interval


def over_worlds(frame: pd.DataFrame, column: str, one: pd.Series, other: pd.Series) -> pd.DataFrame:
    """Mean difference of a column between two kinds of row, world by world.

    Args:
        frame: kept table with `seed`, `meta_task` and `overlap`.
        column: column that is compared.
        one: bool, rows from which the others are subtracted.
        other: bool, rows that are subtracted.

    Returns:
        One row per meta-task and overlap: `meta_task`, `overlap`, `worlds`, and `value`, `low` and
        `high` (Student's 95% interval). Without two worlds that have both, there is no row.
    """
    keys = ["meta_task", "overlap"]
    first, second = (frame[i].set_index([*keys, "seed"])[column] for i in (one, other))
    gaps = (first - second).dropna()
    rows = []
    for key, values in gaps.groupby(keys, sort=False):
        if len(values) > 1:
            ends = mean_interval(values)._asdict()
            rows.append(dict(zip(keys, key, strict=True)) | {"worlds": len(values)} | ends)
    return pd.DataFrame(rows, columns=[*keys, "worlds", "value", "low", "high"])


def words(estimate: Sequence[float], better: str = "better", worse: str = "worse") -> str:
    """What an interval of a difference bears out, where negative is `better`.

    Args:
        estimate: value, low, high.
        better: word if the interval lies below 0.
        worse: word if it lies above 0.

    Returns:
        One of the two words, "undecided", "the same" (no difference at all), or "not known" (NaN).
    """
    value, low, high = Estimate(*estimate)
    if not np.isfinite([value, low, high]).all():
        return "not known"
    if value == low == high == 0:
        return "the same"
    return better if high < 0 else worse if low > 0 else "undecided"
