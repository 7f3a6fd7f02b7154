"""Figures of tasks and experts: every stroke at its value, every block in its place."""

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from t2v.book.matrix_figures import SHOWN, Mark, matrix_figure, tasks_and_strokes  # noqa: E402
from tests.small import small_task  # noqa: E402


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_each_task_has_its_images_its_strokes_and_its_marks():
    tasks = [small_task(f"t{i}", seed=i) for i in range(2)]
    values = np.array([[10.0, 20, np.nan], [30, 40, 50]])
    marks = [Mark("generic", "v", np.array([25.0, 35])),
             Mark("best", "o", np.array([10.0, 30]), ["a", "b"])]  # fmt: skip
    figure = tasks_and_strokes(tasks, values, marks, xlabel="error (%)", title="t")
    rows = np.array(figure.axes).reshape(2, 2)
    for (left, right), task, row, r in zip(rows, tasks, values, range(2), strict=True):
        (image,) = left.images
        assert left.get_title() == task.name
        assert image.get_array().shape == (12, SHOWN * 12 + (SHOWN - 1) * 2, 3)
        strokes, generic, best = right.lines
        np.testing.assert_array_equal(strokes.get_xdata(), row)
        assert (generic.get_xdata()[0], best.get_xdata()[0]) == tuple(m.values[r] for m in marks)
        assert [t.get_text() for t in right.texts] == ["ab"[r]]
    assert rows[0, 1].get_xlim() == rows[1, 1].get_xlim()  # rows can be compared
    assert [t.get_text() for t in figure.legends[0].texts] == ["one expert", "generic", "best"]


def test_the_matrix_shows_every_task_once_in_the_block_of_its_data_set():
    gain = np.arange(12.0).reshape(6, 2) - 5
    marks = {"_": np.zeros((6, 2), dtype=bool)}
    marks["_"][4, 1] = True
    figure = matrix_figure(
        gain, ["x", "y", "x", "y", "x", "y"], ["e", "f"], marks=marks, best=np.arange(6) % 2,
        portraits={name: np.zeros((4, 4, 3), dtype=np.uint8) for name in "xy"},
    )  # fmt: skip
    ax = figure.axes[0]
    shown = np.array(ax.images[0].get_array())
    assert sorted(map(tuple, shown[:3])) == sorted(map(tuple, gain[[0, 2, 4]]))
    assert sorted(map(tuple, shown[3:])) == sorted(map(tuple, gain[[1, 3, 5]]))
    mark, best = ax.lines[:2]
    row = int(mark.get_ydata()[0])
    assert (shown[row].tolist(), mark.get_xdata()[0]) == (gain[4].tolist(), 1)
    # the dot of each row is that of its task, which its first gain names
    assert [np.flatnonzero(gain[:, 0] == r[0])[0] % 2 for r in shown] == best.get_xdata().tolist()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x\n3 tasks", "y\n3 tasks"]
