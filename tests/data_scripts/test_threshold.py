"""The threshold of a probe: every meta-task has the same weight, other probes keep their rows."""

import csv

import numpy as np

from data_scripts.claims.threshold import common_threshold, costs_of, write
from t2v.distances import distance_matrix
from t2v.evaluation import best_threshold
from t2v.meta_task import MetaTask
from t2v.pretrained.thresholds import COLUMNS
from tests.fakes import FakeEmbedding


def test_every_meta_task_has_the_same_weight():
    # the far expert costs the small meta-task 1 in one of 2 cases, and saves 0.5 in 9 of 10
    small = (np.array([0.1, 0.3]), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    large = (np.array([0.1] + [0.3] * 9), np.zeros(10), np.array([1.0] + [0.5] * 9))
    pooled = [np.concatenate(values) for values in zip(small, large, strict=True)]
    assert best_threshold(*pooled) == np.inf  # 1 / 12 against 4.5 / 12
    assert common_threshold([small, large]) == 0.2  # (0 + 0.45) / 2 against (0.5 + 0) / 2


def test_costs_are_those_of_the_nearest_expert_and_the_generic_network():
    rng = np.random.default_rng(0)
    tasks, experts = ([FakeEmbedding(rng.gamma(1, size=10)) for _ in range(n)] for n in (5, 3))
    errors, generic = rng.uniform(0.1, 0.5, (5, 3)), rng.uniform(0.1, 0.5, 5)
    nearest, expert, of_generic = costs_of(MetaTask(tasks, experts, errors, generic=generic))
    distance = distance_matrix(tasks, experts)
    best = np.minimum(errors.min(axis=1), generic)
    np.testing.assert_array_equal(nearest, distance.min(axis=1))
    np.testing.assert_allclose(expert, errors[np.arange(5), distance.argmin(axis=1)] / best - 1)
    np.testing.assert_allclose(of_generic, generic / best - 1)


def test_a_row_replaces_that_of_its_probe_only(tmp_path):
    path = tmp_path / "thresholds.csv"
    row = dict.fromkeys(COLUMNS, "x") | {"image_size": "48", "threshold": "0.1"}
    write(row, path)
    write(row | {"image_size": "64"}, path)
    write(row | {"threshold": "0.2"}, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["image_size"], r["threshold"]) for r in rows] == [("64", "0.1"), ("48", "0.2")]
