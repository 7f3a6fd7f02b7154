"""Mistakes image by image: against the error matrix, and with experts of known worth."""

import dataclasses

import numpy as np
import pytest
import torch

from t2v.book.mistakes import mistakes_of
from t2v.book.worth import PARTS, parts_of, worth_choosing
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import Expert, hog_expert
from t2v.experts.linear_classifiers import balanced_errors
from tests.small import small_probe, small_task


def noisy(task):
    """The task with a fifth of its labels drawn at random, so that no error is 0."""
    drawn = torch.randint(3, (len(task),), generator=torch.Generator().manual_seed(9))
    return dataclasses.replace(task, labels=torch.where(torch.arange(len(task)) % 5 == 0, drawn,
                                                        task.labels))  # fmt: skip


def with_folds(task):
    return dataclasses.replace(task, test=None, folds=torch.arange(len(task)) // 3 % 4)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


def test_their_balanced_shares_are_the_errors_of_the_matrix():
    experts = [Expert("a", small_probe(0)), hog_expert(12), Expert("b", small_probe(1))]
    tasks = [noisy(small_task()), with_folds(noisy(small_task("folds", seed=1)))]
    matrix = error_matrix(tasks, experts, jobs=1)
    for t, wrong in enumerate(mistakes_of(tasks, experts, jobs=1)):
        assert wrong.shape == (3, len(tasks[t].held_out))
        shares = balanced_errors(torch.from_numpy(wrong), tasks[t].held_out.labels)
        assert shares.numpy() == pytest.approx(matrix.errors[t], abs=1e-12) and shares.max() > 0


def test_parts_are_the_folds_or_as_even_as_classes_allow():
    task = small_task(count=200)
    assert (parts_of(with_folds(task)) == with_folds(task).folds.numpy()).all()
    parts, labels = parts_of(task), task.held_out.labels.numpy()
    for k in range(3):
        counts = np.bincount(parts[labels == k], minlength=PARTS)
        assert counts.max() - counts.min() <= 1


def test_only_eligible_experts_count_and_a_task_without_any_is_left_out():
    task = with_folds(small_task(count=60))
    generic = np.arange(60) % 2 == 0
    wrong = np.stack([generic, np.zeros(60, dtype=bool), np.ones(60, dtype=bool)])
    pools = {"all": np.array([[True, True]]), "bad": np.array([[False, True]]),
             "none": np.array([[False, False]])}  # fmt: skip
    found = worth_choosing([task], [wrong], pools, resamples=99).set_index("pool")
    assert list(found.index) == ["all", "bad"]
    assert found.best.tolist() == [0, 1] and found.experts.tolist() == [2, 1]
    assert found.gain.tolist() == pytest.approx([0.5, -0.5])
    assert found.elsewhere.tolist() == pytest.approx([0.5, -0.5])
    assert found.p.tolist() == pytest.approx([0.01, 1.0])
