"""Errors, the set of the best, the answer and the refusal, on small networks."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from t2v.candidates import HandMade, TensorImages, compare, measure
from t2v.candidates.evaluated import evenly
from t2v.cli.network_words import network_steps, network_verdict
from t2v.errors import InputError
from t2v.transferability import held_out_predictions, linear_probe, logme, nearest_neighbours
from tests.candidates.some import network
from tests.small import small_task


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def measured():
    networks = [network("large", 0, 9_000_000), network("small", 1, 1_000_000), HandMade(14)]
    return measure(TensorImages(small_task(count=90).images), networks)


LABELS = small_task(count=90).labels.numpy()


def test_numbers_are_those_of_the_functions_they_come_from(measured):
    found = compare(measured, LABELS, seed=3)
    assert found.errors[0].value <= found.errors[1].value
    for m, name in enumerate(("large", "small")):
        features, _ = measured.read(m)
        row = found.names.index(name)
        accuracy = linear_probe(features, LABELS, folds=5, seed=3)
        assert found.errors[row].value == pytest.approx(1 - accuracy)
        neighbours = nearest_neighbours(features, LABELS, folds=5, seed=3)
        assert found.neighbours[row] == pytest.approx(1 - neighbours)
        assert found.logme[row] == pytest.approx(logme(features, LABELS, centred=True))
        assert np.isnan(found.leep[row])  # no head
    hand = held_out_predictions(measured.read(2)[0], LABELS, folds=5, seed=3)
    assert found.by_hand.value == pytest.approx(1 - balanced_accuracy_score(LABELS, hand))
    assert (found.images, found.classes, found.fewest, found.folds) == (90, 3, 30, 5)
    assert found.chance == pytest.approx(2 / 3) and found.beats_chance


def test_the_answer_names_the_published_best_and_the_smallest(measured):
    found = compare(measured, LABELS)
    assert set(found.undecided) == {"large", "small"}  # both see the colours well
    assert found.smallest == "small"
    for top1, take, why in (
        ({"large": 0.7, "small": 0.6}, "large", "which is the best of them on ImageNet"),
        ({"large": 0.6, "small": 0.7}, "small", "which is the best of them on ImageNet"),
        ({"large": None, "small": 0.7}, found.names[0], "which errs least here"),
    ):
        told = replace(found, top1=tuple(top1[name] for name in found.names))
        words = network_verdict(told)
        assert told.take == take and f"Take {take}, {why}" in words
        assert words.startswith("Too close to call: each of")
        assert ("If size counts, take small" in words) == (take != "small")
    assert any("tell the networks apart" in step for step in network_steps(found))


def test_what_is_taken_is_in_the_set(measured):
    """The best on ImageNet is not named where the images have ruled it out."""
    found = compare(measured, LABELS)
    first = found.names[0]
    decided = replace(found, top1=(0.1, 0.9), inside=np.array([True, False]))
    assert decided.undecided == (first,) and decided.take == decided.smallest == first
    assert network_verdict(decided).startswith(f"Take {first}: it errs on")


def test_shuffled_labels_get_no_answer():
    task = small_task(count=90, classes=3)
    measured = measure(TensorImages(task.images), [network("a", 0), network("b", 1)])
    refused = 0
    for seed in range(8):
        shuffled = np.random.default_rng(seed).permutation(task.labels.numpy())
        found = compare(measured, shuffled, seed=seed, evidence=False)
        refused += not found.beats_chance
        if not found.beats_chance:
            assert found.take is None and network_verdict(found).startswith("No answer")
    assert refused >= 7  # 95% of 8 are 7.6; a standard deviation is 0.6


def test_one_network_is_an_answer_too():
    measured = measure(TensorImages(small_task(count=90).images), [network("only")])
    found = compare(measured, LABELS)
    assert found.take == "only" and found.by_hand is None
    assert "the only network that was compared" in network_verdict(found)


def test_few_images_make_fewer_folds_and_a_rough_answer():
    task = small_task(count=9)
    found = compare(measure(TensorImages(task.images), [network()]), task.labels)
    assert found.folds == 3
    if found.beats_chance:
        assert "has 3 images, so the answer is rough" in network_verdict(found)


def test_a_second_comparison_comes_from_the_cache(measured, monkeypatch):
    from t2v.candidates import evaluated

    first = compare(measured, LABELS)
    monkeypatch.setattr(evaluated, "held_out_predictions", None)
    again = compare(measured, LABELS)
    assert again.names == first.names and again.errors == first.errors
    with pytest.raises(TypeError):  # other labels are not in it
        compare(measured, LABELS[::-1])


def test_what_cannot_be_compared_is_refused(measured):
    with pytest.raises(InputError, match="two images of each"):
        compare(measured, [0] * 89 + [1])
    with pytest.raises(InputError, match="needs a network"):
        compare(measure(TensorImages(small_task(count=90).images), [HandMade(14)]), LABELS)


def test_scores_use_as_many_images_of_each_class():
    labels = np.array([0] * 50 + [1] * 5)
    some = evenly(labels, 20, 0)
    assert np.bincount(labels[some]).tolist() == [15, 5]
    assert len(evenly(labels, 99, 0)) == 55
