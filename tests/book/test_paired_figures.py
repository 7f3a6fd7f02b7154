"""Figures that chapters draw twice, and the tree of a world: what their parts show."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.offsetbox import AnnotationBbox
from scipy.stats import spearmanr

from t2v.book.paired_figures import (
    kind_label,
    layers_figure,
    log_axis,
    middle_tasks,
    norm_figure,
    prior_figure,
    two_maps,
)
from t2v.book.plots import group_styles, number_kind
from t2v.book.tree_of_life import angles_of, draw_tree
from t2v.libraries.worlds.creatures.evolution import Tree, grow_world

SYNTHETIC = number_kind("synthetic")["label"]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_middle_task_is_nearest_to_the_median_of_its_data_set_or_group():
    points = np.array([[0, 0], [1, 0], [9, 0], [5, 5], [5, 6], [5, 9.0]])
    frame = pd.DataFrame({"source": ["s"] * 3 + ["t"] * 3, "group": list("aabbbb")})
    assert middle_tasks(points, frame) == {1: "s", 4: "t"}
    assert middle_tasks(points[:2], frame[:2].assign(source="s")) == {0: "a"}


def test_two_maps_show_every_task_on_each():
    rng = np.random.default_rng(0)
    places = pd.DataFrame(
        rng.normal(size=(6, 4)), columns=["task_x", "task_y", "domain_x", "domain_y"]
    )
    frame = places.assign(source=["s", "t"] * 3, group=["a", "b"] * 3)
    figure = two_maps(frame, "synthetic")
    assert figure.get_suptitle() == SYNTHETIC
    for ax, embedding in zip(figure.axes, ("task", "domain"), strict=True):
        drawn = np.concatenate([dots.get_offsets() for dots in ax.collections])
        wanted = frame[[f"{embedding}_x", f"{embedding}_y"]].to_numpy()
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, wanted))


def test_norm_figure_has_two_data_sets_and_everything_with_its_correlation():
    norms = np.arange(1.0, 13.0)
    errors = norms[[1, 0, 3, 2, 4, 5, 7, 6, 9, 8, 10, 11]] / 20
    frame = pd.DataFrame({"source": ["s"] * 6 + ["t"] * 6, "norm": norms, "error": errors})
    figure = norm_figure(frame, "synthetic", ["s", "t"])
    titles = [ax.get_title() for ax in figure.axes]
    assert [title.split("\n")[0] for title in titles] == ["s", "t", "everything"]
    for title, part in zip(titles, (slice(6), slice(6, 12), slice(12)), strict=True):
        assert f"ρ = {spearmanr(norms[part], errors[part])[0]:.2f} (" in title
    dots = [
        sum(len(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection))
        for ax in figure.axes
    ]
    assert dots == [6, 6, 12]


def test_log_axis_has_ticks_between_powers_only_where_the_range_is_short():
    for top, ticks in ((10, [1, 2, 5, 10]), (1000, [1, 10, 100, 1000])):
        _, ax = plt.subplots()
        ax.plot([1, top], [1, 1])
        log_axis(ax.xaxis)
        shown = [tick for tick in ax.get_xticks() if 1 <= tick <= top]
        assert ax.get_xscale() == "log" and shown == pytest.approx(ticks)


def rates(**columns):
    rows = [
        {"question": q, "prior": c, "layers": layers, "local_scaling": 0, "rate": 0.5 + c / 100,
         "low": 0.4, "high": 0.7, "chance": 0.2, "tasks": 9}
        for q in ("one", "two") for c in (0, 0.3, 3.0) for layers in ("stem", "stem.conv", "all")
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def test_prior_figure_sweeps_the_prior_over_all_layers():
    skewness = pd.DataFrame({"source": "everything", "prior": [0, 0.3, 3.0], "skewness": [2, 1, 1]})
    figure = prior_figure(rates(), skewness, "synthetic")
    assert SYNTHETIC in figure.get_suptitle()
    one, two, hubs = figure.axes
    for ax in (one, two):
        [line] = [line for line in ax.get_lines() if len(line.get_ydata()) == 3]
        assert line.get_ydata() == pytest.approx([0.5, 0.503, 0.53])
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", ".3", "3"]
    assert list(hubs.get_lines()[0].get_ydata()) == [2, 1, 1]


def test_layers_figure_has_stages_and_all_without_and_with_the_prior():
    figure = layers_figure(rates(), "synthetic", 0.3)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["stem", "all"]
    raw, with_prior = (line for line in ax.get_lines() if len(line.get_ydata()) == 2 and
                       line.get_label() in ("raw", "with prior"))  # fmt: skip
    assert list(raw.get_ydata()) == [0.5, 0.5]
    assert with_prior.get_ydata() == pytest.approx([0.503, 0.503])


def test_kind_of_number_stands_after_the_title():
    figure = plt.figure()
    kind_label(figure, "paper", "What it shows")
    assert figure.get_suptitle() == "What it shows (the paper's)"


def test_inner_nodes_stand_in_the_middle_of_their_children_and_leaves_are_even():
    tree = Tree()
    root = tree.add(-1, 0.0, "split")
    left = tree.add(root, 0.5, "split")
    leaves = [tree.add(left, 1.0, "species"), tree.add(left, 1.0, "species"),
              tree.add(root, 1.0, "species")]  # fmt: skip
    angles = angles_of(tree)
    assert angles[leaves] == pytest.approx(np.array([1, 2, 3]) * 2 * np.pi / 3)
    assert angles[left] == pytest.approx(angles[leaves[:2]].mean())
    assert angles[root] == pytest.approx((angles[left] + angles[leaves[2]]) / 2)


def test_tree_has_two_lines_for_each_branch_and_a_creature_of_each_order():
    world = grow_world("smoke", 0)
    orders, tree = world.orders, world.tree
    styles = group_styles([tree.name[world.class_of(order)] for order in orders])
    _, ax = plt.subplots(subplot_kw={"projection": "polar"})
    draw_tree(ax, world, orders, np.zeros((len(orders), 4, 8, 8), np.uint8), styles)
    assert len(ax.get_lines()) == 2 * (len(tree) - 1) + len(orders)
    assert sum(isinstance(artist, AnnotationBbox) for artist in ax.artists) == len(orders)
    assert {text.get_text() for text in ax.texts} == set(styles)
