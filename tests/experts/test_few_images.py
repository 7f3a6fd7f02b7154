"""Errors with fewer images and after fine-tuning: against the plain way, one at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from t2v.errors import InputError
from t2v.evaluation.agreement import rank_agreement
from t2v.experts import few_images
from t2v.experts.expert import Expert, generic_expert
from t2v.experts.few_images import (
    fewer,
    fixed_errors,
    hold_out_folds,
    transfer_distance,
    tuned_errors,
)
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.linear_classifiers import WEIGHT_DECAY
from t2v.experts.training import Schedule
from t2v.head import fit_head
from tests.small import small_probe, small_task


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))


def error_by_head(probe, task):
    """With the solver of the embedding instead of the batched one."""
    train, test = task.train, task.held_out
    head = fit_head(
        probe.features(train.images),
        train.labels,
        num_classes=task.num_classes,
        weight_decay=WEIGHT_DECAY,
    )
    return head.error(probe.features(test.images), test.labels)


def test_fewer_images_are_evenly_drawn_nested_and_tested_on_the_same():
    task = small_task(classes=3, count=90)
    drawn = {n: fewer(task, n, seed=5) for n in (3, 10, 40)}
    for n, part in drawn.items():
        assert len(part.train) == n
        counts = torch.bincount(part.train.labels, minlength=3)
        assert counts.max() - counts.min() <= 1
        assert torch.equal(part.held_out.images, task.held_out.images)
        assert torch.equal(part.held_out.labels, task.held_out.labels)
    pictures = {
        n: {(i.numpy().tobytes(), int(k)) for i, k in zip(p.train.images, p.train.labels)}  # noqa: B905
        for n, p in drawn.items()
    }
    whole = {(i.numpy().tobytes(), int(k)) for i, k in zip(task.images, task.labels, strict=True)}
    assert pictures[3] < pictures[10] < pictures[40] < whole
    assert fewer(task, 10, 5).fingerprint == drawn[10].fingerprint
    assert fewer(task, 10, 6).fingerprint != drawn[10].fingerprint


@pytest.mark.parametrize("count", [2, 91])
def test_too_few_or_many_are_refused(count):
    with pytest.raises(InputError, match=f"'blots': {count} training images"):
        fewer(small_task(classes=3, count=90), count)
    with pytest.raises(InputError, match="no held-out images"):
        fewer(small_task(held_out=0).train, 6)


def test_fixed_errors_are_those_of_each_draw_by_itself():
    tasks = [small_task("one", 3, 80), small_task("two", 2, 70, seed=1)]
    probes = [small_probe(0), small_probe(1)]
    experts = [generic_expert(probe) for probe in probes]
    found = fixed_errors(tasks, experts, (6, 20), 2, seed=3, jobs=1)
    assert found.shape == (2, 2, 2, 2)
    for (t, r, c, m), value in np.ndenumerate(found):
        expected = error_by_head(probes[m], fewer(tasks[t], (6, 20)[c], 3 + r))
        # both solvers stop short of the optimum: at most one test image may differ
        assert value == pytest.approx(expected, abs=1 / len(tasks[t].held_out) + 1e-9)
    assert len(np.unique(found)) > 4  # and they are not all alike


def test_tuned_errors_are_those_of_fine_tuning_and_are_kept(monkeypatch):
    tasks = [fewer(small_task("one", 3, 80), 24), fewer(small_task("two", 2, 70), 20)]
    probe, schedules = small_probe(), [Schedule(3, 8), Schedule(5, 8)]
    work = [(task, probe) for task in tasks]
    found = tuned_errors(work, schedule=schedules, seed=2, jobs=1)
    for task, schedule, value in zip(tasks, schedules, found, strict=True):
        tuned = fine_tune(task, probe, schedule=schedule, seed=2).extractor
        assert tuned.sha256 != probe.sha256
        bound = 1 / len(task.held_out) + 1e-9  # as above
        assert value == pytest.approx(error_by_head(tuned, task), abs=bound)

    def never(*given, **options):
        raise AssertionError("computed again")

    monkeypatch.setattr(few_images, "fine_tune", never)
    again = tuned_errors(work, schedule=schedules, seed=2, jobs=1)
    np.testing.assert_array_equal(again, found)
    with pytest.raises(AssertionError, match="again"):
        tuned_errors(work, schedule=schedules, seed=3, jobs=1)


def test_transfer_distance_by_hand():
    tuned = np.array([[[0.1, 0.3], [0.2, 0.0]], [[0.3, 0.5], [0.2, 0.0]]])  # [R, T, M]
    generic = np.array([[0.3, 0.0], [0.5, 0.2]])  # means 0.4, 0.1
    found = transfer_distance(tuned, generic, [0.01, 0.05])
    # means to: 0.2, 0.4; 0.2, 0 -> floor 0.05
    np.testing.assert_allclose(found, [[-0.5, 0.0], [1.0, -0.5]])


def test_rank_agreement_is_the_mean_of_spearmans_and_sees_only_what_counts():
    rng = np.random.default_rng(0)
    x, y, use = rng.normal(size=(4, 9)), rng.normal(size=(4, 9)), rng.random((4, 9)) < 0.8
    use[:, :3] = True
    found = rank_agreement(x, y, use, resamples=99)
    expected = [spearmanr(a[u], b[u])[0] for a, b, u in zip(x, y, use, strict=True)]
    np.testing.assert_allclose(found.by_target, expected)
    assert found.value == pytest.approx(np.mean(expected))
    assert rank_agreement(np.where(use, x, 99), y, use, resamples=99)[:4] == found[:4]
    use[0, 2:] = False
    assert (
        np.isnan(rank_agreement(x, y, use, resamples=9).by_target).tolist() == [True] + [False] * 3
    )
    same = rank_agreement(x, np.exp(x), resamples=199)
    assert same[:4] == (1.0, 1.0, 1.0, 1 / 200)
    with pytest.raises(InputError, match="3 or more"):
        rank_agreement(x[:, :2], y[:, :2])


def test_rank_agreement_of_chance_is_called_so_as_often_as_it_should():
    # what only the source decides, in both: cells of a column are one observation, not six
    rng = np.random.default_rng(1)

    def draw():
        return rng.normal(size=7) + 0.3 * rng.normal(size=(6, 7))

    pairs = [(draw(), draw()) for _ in range(60)]
    found = [rank_agreement(x, y, resamples=39, seed=i) for i, (x, y) in enumerate(pairs)]
    # level 5%: more than 9 of 60 have a chance of 0.1%; a test that takes cells for independent
    # finds something in a third
    assert sum(f.p <= 0.05 for f in found) <= 9
    assert sum(spearmanr(x, y, axis=None).pvalue <= 0.05 for x, y in pairs) > 20
    # intervals of seven sources are a little short: 50 of 60 at least hold the 0
    assert sum(f.low <= 0 <= f.high for f in found) >= 50


def test_of_folds_two_are_held_out_whatever_is_drawn():
    task = replace(small_task(count=60), test=None, folds=torch.arange(60) // 3 % 5)
    split = hold_out_folds(task)
    assert torch.equal(split.test, task.folds < 2) and split.folds is None
    assert hold_out_folds(split) is split
    for seed in (0, 1):
        part = fewer(task, 9, seed)
        assert torch.equal(part.held_out.images, task.images[task.folds < 2])
        assert len(part.train) == 9
    errors = fixed_errors([task], [Expert("e", small_probe())], [6, 12], 2, jobs=1)
    same = fixed_errors([split], [Expert("e", small_probe())], [6, 12], 2, jobs=1)
    assert errors.shape == (1, 2, 2, 1) and (errors == same).all()
