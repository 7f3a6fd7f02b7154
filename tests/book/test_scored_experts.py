"""Scores of experts on halves of tasks: against calls by hand, and the variants of public code."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from t2v import transferability
from t2v.book.scored_experts import (
    MOST,
    OF_GEOMETRY,
    SCORED,
    in_their_span,
    logme_with_power,
    mean_probability,
    own_probabilities,
    score_experts,
    seconds_of_scores,
    seen_images,
)
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.head import Head
from tests.small import small_probe, small_task


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


def an_expert(name, seed, classes=5):
    probe = small_probe(seed)
    width = probe.features(small_task().images[:1]).shape[1]
    weight = torch.randn(classes, width, generator=torch.Generator().manual_seed(seed))
    return Expert(name, probe, head=Head(weight, torch.zeros(classes), 0.0, 0.0))


def test_scores_are_those_of_the_library_on_the_images_that_are_seen():
    tasks, experts = [small_task(count=60)], [an_expert("a", 0), an_expert("b", 1)]
    scored = score_experts(tasks, experts, jobs=1)
    assert set(scored) == set(SCORED)
    seen = seen_images(tasks[0])
    labels = tasks[0].labels.numpy()[seen]
    for m, expert in enumerate(experts):
        features = expert.extractor.features(tasks[0].images).numpy()[seen].astype(np.float64)
        theta = own_probabilities(expert.head, features)
        logits = features @ expert.head.weight.numpy().T
        np.testing.assert_allclose(theta, np.exp(logits) / np.exp(logits).sum(1)[:, None])
        by_hand = {
            "LEEP": transferability.leep(theta, labels),
            "LogME": transferability.logme(features, labels),
            "linear probe": transferability.linear_probe(features, labels, folds=3),
        }
        for name, value in by_hand.items():  # a rotation changes the last digits only
            assert scored[name][0, m] == pytest.approx(value, rel=1e-6), name
    seconds = seconds_of_scores(tasks[0], experts[0])
    assert set(seconds) == set(SCORED) and 0 < max(seconds.values())


def test_another_head_is_scored_again():
    task, expert = small_task(count=60), an_expert("a", 0)
    first = score_experts([task], [expert], jobs=1)
    turned = replace(expert, head=replace(expert.head, weight=-2 * expert.head.weight))
    second = score_experts([task], [turned], jobs=1)
    assert first["LEEP"] != second["LEEP"] and first["LogME"] == second["LogME"]


def test_an_expert_without_a_head_is_refused_and_a_task_too_small_for_a_score_is_not():
    with pytest.raises(InputError, match="'plain'.*no head"):
        score_experts([small_task()], [Expert("plain", small_probe(0))], jobs=1)
    scored = score_experts([small_task(count=12)], [an_expert("a", 0)], jobs=1)
    assert np.isnan(scored["linear probe"]).all() and np.isfinite(scored["LEEP"]).all()


def test_half_of_the_images_are_seen_with_classes_in_proportion():
    task = small_task(count=90)
    seen = seen_images(task, seed=3)
    assert seen.sum() == 45 and seen.dtype == bool
    counts = np.bincount(task.labels[torch.from_numpy(seen)])
    np.testing.assert_allclose(counts, np.bincount(task.labels) / 2, atol=1)
    assert (seen != seen_images(task, seed=4)).any() and (seen == seen_images(task, seed=3)).all()
    large = small_task(count=4 * MOST)
    assert seen_images(large).sum() == MOST


@pytest.mark.parametrize("name", OF_GEOMETRY)
def test_a_rotation_leaves_these_scores_as_they_are(name):
    features, labels = some_features(60, 90)
    score = OF_GEOMETRY[name]
    expected = score(features, labels)
    # the mixture and the classifier stop at a tolerance of about 1e-5
    assert score(in_their_span(features), labels) == pytest.approx(expected, rel=1e-4)


def some_features(n, d, signal=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return rng.normal(size=(n, d)) + signal * np.eye(d)[labels], labels


@pytest.mark.parametrize("n, d", [(60, 10), (40, 90)])
def test_the_fixed_point_finds_logme(n, d):
    features, labels = some_features(n, d)
    # eleven steps need not reach the maximum, which nothing exceeds
    expected = transferability.logme(features, labels)
    assert expected - 5e-3 < logme_with_power(features, labels) < expected + 1e-9


def test_the_power_d_adds_its_share_of_log_alpha():
    features, labels = some_features(40, 90)
    gaps = []
    for target in np.eye(3)[labels].T:

        def loss(logs, y=target):
            a, b = np.exp(logs)
            cov = np.eye(40) / b + features @ features.T / a
            return -multivariate_normal(np.zeros(40), cov).logpdf(y)

        log_alpha = minimize(loss, [5.0, 2.0], method="Nelder-Mead", options={"xatol": 1e-6}).x[0]
        gaps.append((90 - 40) / 2 * log_alpha / 40)
    with_d = logme_with_power(features, labels, 90)
    # after eleven steps log α is known to about 0.2, which is multiplied by 50 and divided by 80
    assert with_d - logme_with_power(features, labels) == pytest.approx(np.mean(gaps), abs=0.12)
    # with more images than features the rank is D, and nothing changes
    features, labels = some_features(60, 10)
    assert logme_with_power(features, labels, 10) == logme_with_power(features, labels)


def test_mean_probability_by_hand():
    theta = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6]])
    joint = np.array([[1.6, 0.4], [0.6, 1.4]]) / 4
    conditional = joint / joint.sum(0)
    right = [conditional[y] @ t for y, t in zip([0, 0, 1, 1], theta, strict=True)]
    assert mean_probability(theta, [0, 0, 1, 1]) == pytest.approx(np.mean(right), rel=1e-12)
    logs = transferability.leep(theta, [0, 0, 1, 1])
    assert np.exp(logs) < mean_probability(theta, [0, 0, 1, 1])  # Jensen
