"""Claims over worlds, and what chapters know of their tasks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from t2v.book.chapter import Chapter
from t2v.book.worlds import over_worlds


def measured(claim, values, prior=0.3):
    return pd.DataFrame(
        {"seed": np.arange(7, 7 + len(values)), "claim": claim, "value": values, "level": 0.7,
         "prior": prior}
    )  # fmt: skip


def test_mean_and_interval_are_students():
    values = [1.5, 2.5, 2.0, 4.0]
    [row] = over_worlds(measured("wardrobe_times_chance", values)).to_dict("records")
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((2.5, low, high))
    assert (row["worlds"], row["seeds"], row["level"]) == (4, "7, 8, 9, 10", 0.7)


def test_intervals_of_shares_end_at_0_and_1_and_others_do_not():
    values = [0.9, 1.0, 0.5]
    share = over_worlds(measured("aviary_same_class", values)).iloc[0]
    other = over_worlds(measured("wardrobe_times_chance", values)).iloc[0]
    assert share.high == 1 and other.high > 1
    assert share.low == other.low and share["mean"] == other["mean"]


def test_claims_and_priors_are_apart_and_no_table_is_an_empty_one():
    parts = [measured("a", [1, 2], 0.0), measured("a", [3, 5], 1.0), measured("b", [7, 9], 0.0)]
    frame = over_worlds(pd.concat(parts))
    assert list(zip(frame.claim, frame.prior, frame["mean"], strict=True)) == [
        ("a", 0.0, 1.5), ("a", 1.0, 4.0), ("b", 0.0, 8.0),
    ]  # fmt: skip
    none = over_worlds(None)
    assert none.empty and list(none.columns) == list(frame.columns)


def test_a_chapter_lists_its_tasks(tmp_path):
    chapter = Chapter("synthetic", "smoke", results=tmp_path)
    about = chapter.about
    assert list(about.columns) == ["task", "source", "group", "classes", "images"]
    assert list(dict.fromkeys(about.source)) == ["phylogeny", "aviary", "wardrobe"]
    last = chapter.tasks[-1]
    assert about.iloc[-1].tolist() == [
        last.name, "wardrobe", last.group, len(last.classes), int((~last.test).sum()),
    ]  # fmt: skip
