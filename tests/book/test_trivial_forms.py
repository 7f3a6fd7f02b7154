"""Sweeps by form of the trivial embedding, the default by its rule, and scales of embeddings."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from t2v.book import differences, scales, trivial_forms
from t2v.book.plots.sweeps import alpha_sweeps
from t2v.distances import DEFAULT_PRIOR
from t2v.embedding import task2vec
from t2v.selection import Generic, Nearest, leave_one_out
from tests.fakes import FakeEmbedding
from tests.method.test_deferral import problem
from tests.small import small_probe, small_task

FORMS = {"own": {}, "common × 1": {"trivial": "common", "scale": 1.0}}


def table(increases):
    """Rows of `trivial_forms` from (seed, meta-task, overlap, form, alpha, increase)."""
    columns = ["seed", "meta_task", "overlap", "form", "alpha", "increase"]
    return pd.DataFrame(increases, columns=columns)


def test_forms_of_a_probe_are_own_three_common_ones_and_its_weights():
    probe = small_probe()
    embedding = task2vec(small_task(), probe)
    forms = trivial_forms.forms_of(probe, embedding)
    assert list(forms) == ["own", "common × 0.3", "common × 1", "common × 3", "probe"]
    weights = {name: getattr(probe.network, name).weight for name in ("conv1", "conv2")}
    number = sum(w.numel() for w in weights.values())
    for name, w in weights.items():
        wanted = 1 / number / float((w.double() ** 2).mean())
        np.testing.assert_allclose(forms["probe"]["trivial"][embedding.layers[name]], wanted)


def test_sweep_is_leave_one_out_for_every_form_and_weight():
    metas = {("living", True): problem(below=0.2), ("mixed", False): problem(1)}
    frame = trivial_forms.sweep(metas, FORMS, alphas=(0.0, 0.3), resamples=99)
    assert len(frame) == 2 * (3 + 2 * 2)
    for row in frame.dropna(subset="alpha").itertuples():
        meta = metas[row.meta_task, row.overlap]
        strategy = Nearest("asymmetric", alpha=row.alpha, **FORMS[row.form])
        errors = leave_one_out(strategy, meta).errors
        best = np.where(meta.eligible, meta.errors, np.inf).min(axis=1)
        assert row.increase == pytest.approx(np.mean(errors / best - 1))
        assert row.low <= row.increase <= row.high
    assert list(frame[frame.alpha.isna()].form[:3]) == ["chance", "generic", "task-blind"]


def test_sweep_does_without_a_generic_expert():
    meta = replace(problem(), generic=None)
    frame = trivial_forms.sweep({("living", True): meta}, FORMS, alphas=(0.0,), resamples=99)
    assert Generic().name not in set(frame.form)


def test_second_term_is_the_formula_and_only_the_common_one_sees_scale():
    rng = np.random.default_rng(0)
    embeddings = [FakeEmbedding(rng.gamma(0.5, size=40)) for _ in range(5)]
    larger = [*embeddings[:4], replace(embeddings[4], fisher=100 * embeddings[4].fisher,
                                       trivial=None)]  # fmt: skip

    def distance(a, b):
        return 1 - np.dot(a / (a + b), b / (a + b)) / (
            np.linalg.norm(a / (a + b)) * np.linalg.norm(b / (a + b))
        )

    common = np.mean([e.trivial for e in embeddings], axis=0)
    own = trivial_forms.second_term(embeddings, {})
    of_common = trivial_forms.second_term(embeddings, {"trivial": "common"})
    for k, e in enumerate(embeddings):
        assert own[k] == pytest.approx(distance(e.fisher + DEFAULT_PRIOR * e.trivial, e.trivial))
        assert of_common[k] == pytest.approx(distance(e.fisher + common, common))
    assert trivial_forms.second_term(larger, {})[4] == pytest.approx(own[4])
    fixed = {"trivial": common}
    assert trivial_forms.second_term(larger, fixed)[4] > 1.2 * of_common[4]


def test_mean_over_worlds_is_students_and_one_world_has_no_interval():
    rows = [(s, "living", True, "own", 0.15, v) for s, v in ((1, 0.1), (2, 0.2), (3, 0.6))]
    rows += [(1, "living", True, "generic", np.nan, 0.5), (1, "living", True, "own, α chosen",
                                                           np.nan, 9.0)]  # fmt: skip
    frame = trivial_forms.over_worlds(table(rows)).set_index("form")
    low, high = stats.t.interval(0.95, 2, loc=0.3, scale=stats.sem([0.1, 0.2, 0.6]))
    assert frame.loc["own", ["increase", "low", "high"]].tolist() == pytest.approx([0.3, low, high])
    assert frame.worlds.to_dict() == {"own": 3, "generic": 1}
    assert np.isnan(frame.low["generic"]) and frame.increase["generic"] == 0.5


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ({"own": (0.3, 0.3), "common × 1": (0.2, 0.4), "probe": (0.5, 0.5)}, "own"),
        ({"own": (0.3, 0.3), "common × 1": (0.2, 0.29), "probe": (0.5, 0.5)}, "common × 1"),
        ({"own": (0.3, 0.3), "common × 1": (0.2, 0.29), "probe": (0.2, 0.2)}, "probe"),
        ({"own": (0.3, 0.3), "common × 1": (0.0, 0.31), "probe": (0.29, 0.29)}, "probe"),
        ({"own": (0.3, 0.3), "common × 1": (0.3, 0.2), "probe": (0.5, 0.5)}, "own"),
    ],
)
def test_another_default_must_be_better_in_every_world(values, form):
    rows = [
        (seed, meta, True, name, alpha, value + shift + 7 * (alpha == 0.5) * (name == "own"))
        for name, pair in values.items()
        for seed, value in enumerate(pair)
        for meta, shift in (("living", -0.1), ("mixed", 0.1))
        for alpha in (0.15, 0.5)
    ]
    decided, means = trivial_forms.default_form(table(rows))
    assert decided == form
    assert means.loc[1].to_dict() == pytest.approx({name: pair[1] for name, pair in values.items()})


def test_panels_have_a_line_for_each_form_and_baseline():
    metas = {("living", True): problem(below=0.2), ("living", False): problem(1)}
    frame = trivial_forms.sweep(metas, FORMS, alphas=(0.0, 0.15, 0.3), resamples=99)
    figure = alpha_sweeps(frame, {"living": "Living things"})
    assert len(figure.axes) == 2
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert {"own", "common × 1", "chance", "generic", "task-blind"} <= set(drawn)
    rows = frame[(frame.form == "own") & frame.overlap]
    np.testing.assert_allclose(drawn["own"].get_ydata(), 100 * rows.increase)
    for ax, overlap in zip(figure.axes, (True, False), strict=True):
        low, high = ax.get_ylim()
        inside = (frame.overlap == overlap) & (frame.alpha.notna() | (frame.form == "generic"))
        assert (100 * frame.increase[inside]).between(low, high).all()
    assert figure.axes[0].get_title().startswith("Living things")
    [key] = figure.legends
    assert len(key.get_texts()) == 5
    # a kept table of several worlds goes into the same figure
    kept = pd.concat([frame.assign(seed=1), frame.assign(seed=2)])
    assert len(alpha_sweeps(trivial_forms.over_worlds(kept), {}).axes) == 2
    plt.close("all")


def test_differences_over_worlds_are_paired_and_named_by_their_interval():
    rows = [
        (s, "living", True, "own", a, v)
        for s, a, v in (
            (1, 0.0, 0.5),
            (2, 0.0, 0.9),
            (3, 0.0, 0.7),
            (1, 0.15, 0.3),
            (2, 0.15, 0.7),
            (4, 0.15, 0.1),
        )
    ]
    frame = table(rows)
    [row] = differences.over_worlds(
        frame, "increase", frame.alpha == 0.15, frame.alpha == 0
    ).to_dict("records")
    assert row["worlds"] == 2 and row["meta_task"] == "living"
    assert [row[k] for k in ("value", "low", "high")] == pytest.approx([-0.2] * 3)
    alone = frame[frame.seed == 1]
    assert differences.over_worlds(alone, "increase", alone.alpha == 0.15, alone.alpha == 0).empty
    said = {(-2, -3, -1): "better", (2, 1, 3): "worse", (0.5, -1, 2): "undecided",
            (0, 0, 0): "the same", (np.nan,) * 3: "not known"}  # fmt: skip
    assert {key: differences.words(key) for key in said} == said


def labelled(counts):
    labels = torch.tensor(np.repeat(np.arange(len(counts)), counts))
    task = SimpleNamespace(labels=labels, num_classes=len(counts))
    task.train = task
    return task


def test_divisors_by_hand():
    frame = scales.divisors([labelled([5, 5]), labelled([1, 1, 2])])
    assert frame["nothing"].tolist() == [1, 1]
    assert frame["log K"].tolist() == pytest.approx([np.log(2), np.log(3)])
    assert frame.entropy.tolist() == pytest.approx([np.log(2), 1.5 * np.log(2)])
    assert frame["K - 1"].tolist() == [1, 2]


def test_division_moves_the_second_term_of_the_common_form_and_not_of_the_own_one():
    sources = problem().experts[:-1]
    by = np.random.default_rng(0).uniform(0.1, 10, len(sources))
    smaller = scales.divided(sources, by)
    np.testing.assert_allclose(smaller[3].fisher, sources[3].fisher / by[3])
    np.testing.assert_allclose(smaller[3].trivial, sources[3].trivial / by[3])
    one = {"trivial": np.ones_like(sources[0].fisher)}
    for options, same in (({}, True), (one, False)):
        terms = [trivial_forms.second_term(e, options) for e in (sources, smaller)]
        assert np.allclose(*terms) == same


def test_a_scale_between_kinds_is_divided_out():
    rng = np.random.default_rng(0)
    error = rng.uniform(size=40)
    kind = np.repeat([1.0, 9.0], 20)
    sources = ["easy"] * 20 + ["large"] * 20
    by = pd.DataFrame({"nothing": np.ones(40), "kind": kind})
    rows = scales.norm_and_error(error * kind, error, sources, by, resamples=199)
    rows = rows.set_index(["rule", "within"])
    assert rows.spearman["kind"].tolist() == pytest.approx([1, 1, 1])
    raw = stats.spearmanr(error * kind, error)[0]
    assert rows.spearman["nothing", "everything"] == pytest.approx(raw) and raw < 0.95
    medians = [np.median(error[:20]), np.median(9 * error[20:])]
    assert rows.apart["nothing", "everything"] == pytest.approx(max(medians) / min(medians))
    assert np.isnan(rows.apart["nothing", "easy"])
