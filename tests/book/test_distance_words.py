"""Tables and figures of the chapter on the choice of a distance."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from t2v.book import distance_words
from t2v.book.plots.dials import prior_figure, stages_figure

TITLES = {"living": "Living", "mixed": "Mixed"}


@pytest.fixture(scope="module")
def increases():
    rng = np.random.default_rng(0)
    base = {name: rng.gamma(2, size=40) for name in TITLES}
    shifts = {"symmetric": 0.0, "equal": 0.0, "worse": 0.5, "noise": None}
    return {
        (name, label): base[name] + (rng.normal(size=40) if shift is None else shift)
        for name in TITLES for label, shift in shifts.items()
    }  # fmt: skip


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_pairs_are_differences_by_task_and_only_a_clear_one_is_told(increases):
    kinds = distance_words.against(increases, "symmetric", resamples=999)
    worse = kinds[kinds.value == "worse"]
    np.testing.assert_allclose(worse[["minus", "minus_low", "minus_high"]], 0.5)
    shown = distance_words.pairs_shown(kinds, "symmetric", TITLES).set_index("distance")
    assert shown.Living["symmetric"] == "–"
    assert shown.Living["equal"] == "+0.0 [+0.0, +0.0], p 1.000"
    assert shown.Mixed["worse"].startswith("+50.0 [+50.0, +50.0], p 0.00")
    text = distance_words.told_apart(kinds, "symmetric", TITLES)
    assert text.count("better than symmetric: none; worse: worse.") == 2


def forms():
    rows = [
        {"seed": seed, "meta_task": name, "overlap": True, "form": form, "alpha": alpha,
         "rule": rule, "increase": 1 + gain * (alpha > 0) + 0.001 * seed * (alpha > 0),
         "low": 0.5, "high": 1.5}
        for seed in range(3) for name in TITLES for alpha in (0.0, 0.15)
        for form, rule, gain in (("own", "nothing", -0.1), ("own", "log K", -0.1),
                                 ("common × 1", "nothing", 0.2), ("common × 1", "log K", 0.1))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_second_term_is_said_with_its_sign():
    frame = forms()
    one = frame[frame.rule == "nothing"]
    lines = distance_words.second_term(one, ["own", "common × 1"], TITLES).splitlines()
    assert lines[0] == "| form | Living, overlap | Mixed, overlap |"
    assert lines[2].count(": better") == 2 and "-9.9 [" in lines[2]
    assert lines[3].count(": worse") == 2 and "+20.1 [" in lines[3]


def test_sweep_is_told_from_no_second_term_to_that_of_the_paper():
    one = forms().query("seed == 0 and rule == 'nothing'")
    chance = one.head(1).assign(form="chance", alpha=np.nan)
    text = distance_words.by_form(pd.concat([one, chance]), TITLES)
    assert "| own | +100 → +90 | +100 → +90 |" in text and "chance" not in text


def test_scaled_names_the_lowest_rule():
    frame = forms().query("seed == 0 and alpha == 0.15")
    text = distance_words.scaled(frame, TITLES)
    assert "nothing +120%, log K +110%" in text and "has +90%" in text
    assert "with *log K*, is not below it" in text


def test_dials_have_a_mark_for_each_setting():
    rng = np.random.default_rng(0)
    priors, weights, stages = (0, 0.3, 3), (0, 0.15), ("all", "first", "last")
    generic = dict.fromkeys(TITLES, 40.0)
    by_prior = {(n, a, p): 100 * rng.gamma(2, size=20)
                for n in TITLES for a in weights for p in priors}  # fmt: skip
    figure = prior_figure(by_prior, generic, TITLES, resamples=99)
    for ax, name in zip(figure.axes, TITLES, strict=True):
        for line, alpha in zip(ax.lines, weights, strict=False):
            expected = [by_prior[name, alpha, p].mean() for p in priors]
            np.testing.assert_allclose(line.get_ydata(), expected)
    by_stage = {(n, s, p): 100 * rng.gamma(2, size=20)
                for n in TITLES for s in stages for p in (0, 0.3)}  # fmt: skip
    figure = stages_figure(by_stage, generic, TITLES, stages, "photographs", resamples=99)
    [white, filled, _] = figure.axes[1].lines
    expected = [by_stage["mixed", s, 0].mean() for s in stages]
    np.testing.assert_allclose(white.get_ydata(), expected)
    assert white.get_markerfacecolor() == "white" != filled.get_markerfacecolor()


@pytest.mark.parametrize(("other", "taken"), [(0.1, "probe"), (0.3, "own")])
def test_the_default_by_the_rule_and_which_one_the_tables_have(other, taken):
    dev = pd.DataFrame([
        {"seed": seed, "form": form, "alpha": 0.15, "increase": value}
        for seed in (0, 1)
        for form, value in (("own", 0.2), ("probe", other))
    ])  # fmt: skip
    said = distance_words.default_form(dev)
    assert "*own* 20.0 and 20.0%" in said
    assert f"the rule {'keeps' if taken == 'own' else 'takes'} *{taken}*" in said
    assert ("default is still *own*" in said) == (taken != "own")
