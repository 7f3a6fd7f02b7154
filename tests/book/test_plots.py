"""The figures: what is drawn where, in which order, and whether it can be read."""

import itertools

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from t2v.book import plots  # noqa: E402
from t2v.errors import FileError, InputError  # noqa: E402


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def test_the_three_kinds_of_number_differ_in_colour_and_in_marker():
    kinds = [plots.number_kind(k) for k in ("paper", "photographs", "synthetic")]
    assert [k["marker"] for k in kinds] == ["D", "o", "s"]
    assert len({k["color"] for k in kinds}) == 3
    for kind in kinds:  # 3:1 is what WCAG 2.1 asks of graphical objects
        assert plots.contrast(kind["markeredgecolor"], plots.CARD) >= 3
    with pytest.raises(InputError, match="toy"):
        plots.number_kind("toy")


def test_contrast_is_that_of_the_guidelines():
    assert plots.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert plots.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's example


def test_no_text_is_below_nine_points():
    matrix = 1.0 - np.eye(12)
    names = [f"task {i}" for i in range(12)]
    figures = [
        plots.distance_heatmap(matrix, names, groups=[names], title="t"),
        plots.task_map(np.random.default_rng(0).normal(size=(12, 2)), names).figure,
        plots.image_grid({"a": np.zeros((2, 3, 4, 4), np.uint8)}, title="t"),
    ]
    texts = [t for figure in figures for t in figure.findobj(matplotlib.text.Text) if t.get_text()]
    assert len(texts) > 30
    assert min(t.get_fontsize() for t in texts) >= 9


def test_where_a_table_is_missing_the_figure_says_whose_run_makes_it():
    plots.no_table("real")
    panel = plt.figure().subplots()
    plots.no_table(ax=panel)
    alone, inside = (plt.figure(n).axes[0].texts[0].get_text() for n in plt.get_fignums()[-2:])
    assert "LIBRARY=real" in alone and inside == "no table is kept"


def test_groups_keep_apart_beyond_the_seven_colours():
    styles = plots.group_styles([f"group {i}" for i in range(19)])
    assert len(set(styles.values())) == 19


def test_every_task_is_on_the_map_and_labels_do_not_overlap():
    points = np.random.default_rng(0).normal(size=(60, 2))  # groups on top of each other
    groups = [f"group {i % 6}" for i in range(60)]
    ax = plots.task_map(points, groups, names={3: "Rodentia"})
    drawn = np.concatenate([c.get_offsets() for c in ax.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, points))
    assert {t.get_text() for t in ax.texts} == {*groups, "Rodentia"}
    ax.figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_labels_stay_below_the_title():
    # all dots at the top: the names would like to stand above them
    points = np.random.default_rng(0).normal(size=(40, 2)) * [1, 0.02]
    points[0, 1] = -4
    ax = plots.task_map(points, [f"group {i % 8}" for i in range(40)], title="What to see")
    ax.figure.draw_without_rendering()
    panel = ax.get_window_extent()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert max(box.y1 for box in boxes) <= panel.y1 and min(box.y0 for box in boxes) >= panel.y0
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_labels_stand_clear_of_dots_where_there_is_room():
    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 0.3, 4))  # a block, its label within
    points = np.concatenate([np.stack([x.ravel(), y.ravel()], 1), [[0.5, 3.0]]])
    ax = plots.task_map(points, [*["block"] * 20, "far"], names={12: "inside"})
    ax.figure.draw_without_rendering()
    dots = ax.transData.transform(points)
    boxes = [t.get_window_extent() for t in ax.texts]
    assert len(boxes) == 3 and not any(box.contains(*dot) for box in boxes for dot in dots)


def test_map_refuses_points_without_groups():
    with pytest.raises(InputError, match=r"\[2, 2\]"):
        plots.task_map(np.zeros((3, 2)), ["a", "b"])


def test_heatmap_puts_blocks_together_and_draws_each_distance():
    rng = np.random.default_rng(1)
    group = rng.permutation(np.repeat([0, 1, 2], 5))
    matrix = 1.0 * (group[:, None] != group) + 0.01 * rng.random((15, 15))
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0)
    order, _ = plots.leaf_order(matrix)
    changes = np.sum(np.diff(group[order]) != 0)
    assert changes == 2  # three blocks, each in one piece
    figure = plots.distance_heatmap(matrix, [f"t{i}" for i in range(15)])
    [cells] = figure.axes[1].collections
    np.testing.assert_array_equal(cells.get_array(), matrix[np.ix_(order, order)])
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert labels == [f"t{i}" for i in order]  # row by row from above
    assert figure.axes[1].yaxis_inverted()


def test_heatmap_takes_an_asymmetric_matrix_with_negative_distances():
    matrix = np.array([[0.0, -0.2, 0.5], [0.3, 0.0, 0.4], [0.1, 0.2, 0.0]])
    figure = plots.distance_heatmap(matrix, ["a", "b", "c"], groups=[["x", "x", "y"]])
    [cells] = figure.axes[3].collections
    assert cells.get_array().min() == -0.2


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.full((2, 2), np.nan)])
def test_heatmap_refuses_what_is_no_matrix_of_distances(bad):
    with pytest.raises(InputError, match="matrix"):
        plots.distance_heatmap(bad, ["a", "b"])


@pytest.mark.parametrize("orient", ["v", "h"])
def test_violins_stand_at_their_places_and_end_with_their_values(orient):
    _, ax = plt.subplots()
    values = [np.array([1.0, 2, 4]), np.array([3.0, 3]), np.array([5.0])]  # two without spread
    plots.violins(ax, values, orient=orient)
    at, along = (0, 1) if orient == "v" else (1, 0)
    corners = ax.collections[0].get_paths()[0].vertices
    length = corners[:, along].min(), corners[:, along].max()
    assert length == pytest.approx((1, 4))
    assert corners[:, at].min() + corners[:, at].max() == pytest.approx(0)
    assert np.ptp(corners[:, at]) == pytest.approx(0.9, rel=0.01)  # full width where it is widest
    for k, strokes in enumerate(ax.collections[-3:]):
        assert sorted(strokes.get_offsets()[:, along]) == sorted(values[k])
        np.testing.assert_allclose(strokes.get_offsets()[:, at], k)


@pytest.mark.parametrize("log", [False, True])
def test_regression_is_the_line_of_least_squares_within_its_band(log):
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=40))
    y = 2 + 3 * (np.log(x) if log else x) + rng.normal(size=40)
    _, ax = plt.subplots()
    plots.regression(ax, x, y, log=log)
    [line], [band] = ax.lines, ax.collections
    slope, start = np.polyfit(np.log(x) if log else x, y, 1)
    places, drawn = line.get_data()
    np.testing.assert_allclose(drawn, start + slope * (np.log(places) if log else places))
    assert places.min() == pytest.approx(x.min()) and places.max() == pytest.approx(x.max())
    corners = band.get_paths()[0].vertices
    for place, value in zip(places[::20], drawn[::20], strict=True):
        edges = corners[np.isclose(corners[:, 0], place), 1]
        assert edges.min() < value < edges.max()


def test_band_of_a_curve_is_its_interval():
    _, ax = plt.subplots()
    x = np.array([1.0, 2.0, 4.0])
    plots.interval_curve(ax, x, x, x - 0.5, x + 1, label="mean")
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 0.5 and corners[:, 1].max() == 5
    assert [t.get_text() for t in ax.texts] == ["mean"]


def test_grid_shows_the_first_images_of_each_row_in_order():
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((3, 3, 4, 4), np.uint8)
    figure = plots.image_grid({"a": images, "b": images[::-1]}, columns=2)
    first, second = (ax.images[0].get_array() for ax in figure.axes)
    assert first[0, 0, 0] == 0 and first[0, -1, 0] == 1
    assert second[0, 0, 0] == 2 and second[0, -1, 0] == 1


def test_figure_is_written_whole(tmp_path):
    figure = plt.figure()
    plots.save(figure, tmp_path / "map.png")
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]
    for wrong, words in (("map.nonsense", "written as"), ("nowhere/map.png", "folder")):
        with pytest.raises(FileError, match=words):
            plots.save(figure, tmp_path / wrong)
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


def test_an_interval_row_is_a_bar_from_end_to_end_with_a_dot_at_the_value():
    ax = plt.figure().subplots()
    plots.interval_row(ax, 2, (0.5, -1.0, 3.0), color=plots.ORANGE, marker="s")
    bar, dot = ax.lines
    assert [*bar.get_xdata(), *bar.get_ydata()] == [-1.0, 3.0, 2, 2]
    assert (*dot.get_xdata(), *dot.get_ydata(), dot.get_marker()) == (0.5, 2, "s")
    assert dot.get_linestyle() == "None" and bar.get_color() == dot.get_color() == plots.ORANGE
    assert plots.contrast(dot.get_markeredgecolor(), plots.CARD) >= 4.5
