"""Arithmetic on experts and its figures: every error is that of the edit it stands for."""

from dataclasses import replace

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from t2v.book.task_arithmetic import Arithmetic, few_others, first_heads  # noqa: E402
from t2v.book.task_vector_figures import (  # noqa: E402
    cost_figure,
    layer_figure,
    opening_figure,
    scale_figure,
    two_matrices,
)
from t2v.experts.fine_tuning import fine_tune  # noqa: E402
from t2v.experts.task_vectors import cosines, random_direction, task_vector  # noqa: E402
from t2v.experts.training import Schedule  # noqa: E402
from tests.small import small_probe, small_task  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def three():
    """Arithmetic on three experts, their tasks, and images that they have not seen."""
    probe = small_probe()
    tasks = [small_task(f"t{i}", seed=i, count=40) for i in range(3)]
    schedule = Schedule(steps=6, batch_size=8, lr=0.05)
    experts = [fine_tune(task, probe, schedule=schedule) for task in tasks]
    vectors = [task_vector(replace(expert, recipe={}), probe) for expert in experts]
    arithmetic = Arithmetic(probe, vectors, [expert.head for expert in experts], jobs=1)
    return arithmetic, experts, tasks, [task.held_out for task in tasks]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def error(arithmetic, vector, m, images):
    edited = vector.added_to(arithmetic.probe)
    return arithmetic.heads[m].error(edited.features(images[m].images), images[m].labels)


def test_alone_are_the_experts_at_one_and_the_probe_at_zero(three):
    arithmetic, experts, _, images = three
    by_hand = [e.head.error(e.extractor.features(i.images), i.labels)
               for e, i in zip(experts, images, strict=True)]  # fmt: skip
    np.testing.assert_allclose(arithmetic.alone(images), by_hand)
    untouched = [e.head.error(arithmetic.probe.features(i.images), i.labels)
                 for e, i in zip(experts, images, strict=True)]  # fmt: skip
    np.testing.assert_allclose(arithmetic.alone(images, 0), untouched)


def test_added_and_its_control_are_judged_on_both_tasks_of_a_pair(three):
    arithmetic, _, _, images = three
    a, b, c = arithmetic.vectors
    found = arithmetic.added([(0, 1), (2, 1)], 3.0, images)
    by_hand = [[error(arithmetic, 3.0 * (a + b), m, images) for m in (0, 1)],
               [error(arithmetic, 3.0 * (c + b), m, images) for m in (2, 1)]]  # fmt: skip
    np.testing.assert_allclose(found, by_hand)
    noise = [random_direction(v, m) for m, v in enumerate(arithmetic.vectors)]
    found = arithmetic.with_noise([(2, 1)], 3.0, images)
    by_hand = [error(arithmetic, 3.0 * (c + noise[1]), 2, images),
               error(arithmetic, 3.0 * (b + noise[2]), 1, images)]  # fmt: skip
    np.testing.assert_allclose(found, [by_hand])


def test_subtracted_has_vectors_in_rows_and_tasks_in_columns(three):
    arithmetic, _, _, images = three
    cells = few_others(3, 1)
    assert cells.tolist() == [[True, True, False], [False, True, True], [True, False, True]]
    for noise in (False, True):
        found = arithmetic.subtracted(4.0, images, cells=cells, noise=noise)
        assert (np.isnan(found) == ~cells).all()
        for m, t in zip(*np.nonzero(cells), strict=True):
            taken = arithmetic.vectors[m]
            taken = random_direction(taken, int(m)) if noise else taken
            assert found[m, t] == pytest.approx(error(arithmetic, -4.0 * taken, t, images))
    assert np.isfinite(arithmetic.subtracted(4.0, images)).all()


def test_first_heads_err_less_on_the_probe_than_chance(three):
    arithmetic, _, tasks, images = three
    for head, shown in zip(first_heads(tasks, arithmetic.probe, jobs=1), images, strict=True):
        assert head.error(arithmetic.probe.features(shown.images), shown.labels) < 0.4  # of 0.67


def test_figures_show_what_they_are_given(three):
    arithmetic, _, tasks, _ = three
    cosine = cosines(arithmetic.vectors)
    figure = opening_figure(tasks, cosine, [1.0, 2.0, 3.0])
    *rows, heat = figure.axes
    assert [ax.get_title() for ax in rows] == [
        "(1)  t0: norm 1.00",
        "(2)  t1: norm 2.00",
        "(3)  t2: norm 3.00",
    ]
    assert [t.get_text() for t in heat.texts] == [f"{v:.2f}" for v in cosine.ravel()]
    figure = two_matrices({"a": (cosine, "x"), "b": (-cosine, "y")}, ["p", "q", "r"])
    for ax, sign in zip(figure.axes, (1, -1), strict=False):
        shown = ax.images[0].get_array().filled(np.nan)
        off = ~np.eye(3, dtype=bool)
        np.testing.assert_allclose(shown[off], sign * cosine[off])
        assert np.isnan(np.diag(shown)).all()
    figure = layer_figure(["features.0", "x"], {"c": ([(1, 0, 2, 9), (2, 1, 3, 9)], "k", "o")}, "y")
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1, 2]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["0", "x"]
    x, same = np.arange(4.0), np.array([True, False, False, True])
    figure = cost_figure({"one": x, "other": -x}, x**2, same, "cost")
    other_sets, one_set = figure.axes[1].collections[:2]
    assert (
        one_set.get_offsets().tolist() == [[0, 0], [-3, 9]] and len(other_sets.get_offsets()) == 2
    )
    figure = scale_figure([0.5, 1], {"own": ([(1, 0, 2), (3, 2, 4)], "k", "o")}, 0.5, "rise")
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1, 3]
    assert figure.axes[0].lines[-1].get_xdata() == [0.5, 0.5]
