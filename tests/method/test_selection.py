"""Strategies of selection: what they may see, what they pick, and the paper's own table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2v.book import paper_numbers
from t2v.errors import InputError
from t2v.experts.error_matrix import ErrorMatrix
from t2v.meta_task import MetaTask
from t2v.selection import (
    ALPHAS,
    GENERIC,
    BruteForce,
    Chance,
    Generic,
    Nearest,
    NearestDomain,
    NearestOrGeneric,
    TaskBlind,
    leave_one_out,
    ranked,
    selection_table,
)
from tests.fakes import FakeEmbedding

PAPER = Path(__file__).resolve().parents[2] / "book" / "paper"


def fake(fisher):
    """Two layers of different size, and a trivial embedding that is the same in both."""
    layers = {"first": slice(0, 3), "second": slice(3, len(fisher))}
    return FakeEmbedding(fisher, layers=layers, trivial=np.full(len(fisher), np.mean(fisher)))


def random_meta(seed=0, tasks=9, experts=5, filters=12, black_boxes=0, ineligible=0.2):
    rng = np.random.default_rng(seed)

    def embeddings(count):
        return [fake(rng.gamma(0.7, size=filters)) for _ in range(count)]

    eligible = rng.random((tasks, experts)) > ineligible
    eligible[np.arange(tasks), rng.integers(0, experts - black_boxes, tasks)] = True
    hidden = [None] * black_boxes
    return MetaTask(
        tasks=embeddings(tasks),
        experts=embeddings(experts - black_boxes) + hidden,
        errors=rng.uniform(0.05, 0.6, (tasks, experts)),
        eligible=eligible,
        generic=rng.uniform(0.05, 0.6, tasks),
        floor=0.01,
        task_domains=embeddings(tasks),
        expert_domains=embeddings(experts - black_boxes) + hidden,
        task_names=[f"t{t}" for t in range(tasks)],
        expert_names=[f"e{m}" for m in range(experts)],
    )


BLIND_TO_ROW = [
    TaskBlind(),
    Nearest(),
    Nearest("asymmetric"),
    Nearest("asymmetric", alpha="chosen"),
    Nearest("asymmetric", alpha=0.3, prior=0.0),
    Nearest("asymmetric", trivial="common"),
    Nearest("asymmetric", alpha="chosen", trivial="common", scale=0.3),
    Nearest("kl"),
    Nearest("jensen_shannon", layers=("second",)),
    NearestDomain(),
    NearestOrGeneric(),
    NearestOrGeneric("asymmetric", alpha="chosen"),
    NearestOrGeneric(threshold=0.1, name="nearest-or-generic, fixed"),
]


@pytest.mark.parametrize("poison", ["nan", "random", "reversed"])
@pytest.mark.parametrize("strategy", BLIND_TO_ROW, ids=lambda s: f"{s.name}")
def test_the_row_of_the_target_plays_no_part(strategy, poison):
    meta = random_meta(black_boxes=1)
    for t in range(len(meta.tasks)):
        errors = meta.errors.copy()
        row = np.random.default_rng(t).random(errors.shape[1])
        errors[t] = {"nan": np.nan, "random": row, "reversed": 0.9 - errors[t]}[poison]
        generic = meta.generic.copy()
        generic[t] = {"nan": np.nan, "random": row[0], "reversed": 0.9 - generic[t]}[poison]
        poisoned = replace(meta, errors=errors, generic=generic)
        np.testing.assert_array_equal(
            strategy.select(poisoned.query(t)), strategy.select(meta.query(t))
        )


def test_a_query_holds_the_rows_of_the_other_tasks_only():
    meta = random_meta(tasks=4)
    query = meta.query(2)
    assert query.target is meta.tasks[2] and query.target_domain is meta.task_domains[2]
    np.testing.assert_array_equal(query.eligible, meta.eligible[2])
    kept = [0, 1, 3]
    for name in ("errors", "eligible", "generic", "floor"):
        np.testing.assert_array_equal(getattr(query.others, name), getattr(meta, name)[kept])
    for name in ("tasks", "task_domains", "task_names"):
        assert getattr(query.others, name) == [getattr(meta, name)[t] for t in kept]
    for name in ("experts", "expert_domains", "expert_names"):
        assert getattr(query.others, name) == getattr(meta, name)


def test_brute_force_does_see_the_row():
    meta = random_meta()
    changed = replace(meta, errors=0.9 - meta.errors)
    for t in range(len(meta.tasks)):
        first = BruteForce(meta.errors).select(meta.query(t))
        other = BruteForce(changed.errors).select(changed.query(t))
        np.testing.assert_array_equal(first, other[::-1])


def test_chosen_alpha_does_see_the_other_rows():
    """Else poisoning would prove nothing: what the rule should use, it uses."""
    meta = random_meta(tasks=20, experts=8)
    strategy = Nearest("asymmetric", alpha="chosen")
    chosen = {
        strategy.chosen_alpha(replace(meta, errors=e).query(0))
        for e in np.random.default_rng(1).uniform(0.05, 0.6, (20, *meta.errors.shape))
    }
    assert len(chosen) > 2 and chosen <= set(ALPHAS)


@pytest.mark.parametrize("strategy", BLIND_TO_ROW, ids=lambda s: f"{s.name}")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_permuting_the_experts_permutes_the_ranking(strategy, seed, data):
    meta = random_meta(seed, tasks=5, black_boxes=1)
    order = np.array(data.draw(st.permutations(range(5))))
    moved = replace(
        meta,
        experts=[meta.experts[m] for m in order],
        expert_domains=[meta.expert_domains[m] for m in order],
        errors=meta.errors[:, order],
        eligible=meta.eligible[:, order],
    )
    for t in range(5):
        ranking = strategy.select(meta.query(t))
        of_moved = strategy.select(moved.query(t))
        of_moved = np.where(of_moved == GENERIC, GENERIC, order[of_moved])
        np.testing.assert_array_equal(of_moved, ranking)
        assert (GENERIC in ranking) == isinstance(strategy, NearestOrGeneric)
        ranking = ranking[ranking != GENERIC]
        assert meta.eligible[t, ranking].all() and len(set(ranking)) == len(ranking)
        unknown = [m for m, e in enumerate(meta.experts) if e is None]
        if not isinstance(strategy, TaskBlind):
            assert not set(unknown) & set(ranking)
        everyone = set(np.flatnonzero(meta.eligible[t]))
        assert set(ranking) | set(unknown) >= everyone


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_brute_force_is_best_and_chance_is_the_mean_over_the_eligible(seed):
    meta = random_meta(seed)
    best = leave_one_out(BruteForce(meta.errors), meta)
    expected = [
        np.mean([e for e, may in zip(*pair, strict=True) if may])
        for pair in zip(meta.errors.tolist(), meta.eligible.tolist(), strict=True)
    ]
    np.testing.assert_allclose(leave_one_out(Chance(), meta).errors, expected, rtol=1e-12)
    for strategy in (TaskBlind(), Nearest(), Chance()):
        assert (best.errors <= leave_one_out(strategy, meta).errors + 1e-15).all()


def test_chance_is_what_random_picks_come_to():
    meta = random_meta(3)
    rng = np.random.default_rng(0)
    drawn = [
        [rng.choice(row[may]) for _ in range(4000)]
        for row, may in zip(meta.errors, meta.eligible, strict=True)
    ]
    expected, spread = np.mean(drawn, axis=1), np.std(drawn, axis=1) / np.sqrt(4000)
    assert (np.abs(leave_one_out(Chance(), meta).errors - expected) <= 5 * spread + 1e-12).all()


def test_nearest_is_the_definition_and_does_not_care_for_a_common_scale():
    meta = random_meta(prior := 4)

    def distance(a, b):  # Sect. 3.2, with the prior of two layer means
        a, b = (e.fisher + prior * e.fisher.mean() for e in (a, b))
        u, v = a / (a + b), b / (a + b)
        return 1 - u @ v / np.sqrt(u @ u * (v @ v))

    for t in range(len(meta.tasks)):
        expected = sorted(
            np.flatnonzero(meta.eligible[t]), key=lambda m: distance(meta.tasks[t], meta.experts[m])
        )
        assert list(Nearest(prior=prior).select(meta.query(t))) == expected
        scaled = replace(
            meta.query(t),
            target=fake(1e-12 * meta.tasks[t].fisher),
            others=replace(meta, experts=[fake(1e-12 * e.fisher) for e in meta.experts]),
        )
        assert list(Nearest(prior=prior).select(scaled)) == expected


@pytest.fixture(scope="module")
def paper():
    return paper_numbers.inat_cub(PAPER)


def test_the_papers_table_from_its_own_distances_and_errors(paper):
    # colours are read to half a step: of two equal ones in one row, the red is the nearer
    distance = paper.distance.copy()
    assert (np.nanargmin(distance, axis=1) != paper.task2vec_pick).sum() == 1
    distance[np.arange(50), paper.task2vec_pick] -= 0.25
    nearest = Nearest(lambda targets, experts: distance[np.ix_(targets, experts)])
    rows = selection_table(
        paper, [Chance(), Generic(), nearest, TaskBlind(), BruteForce(paper.errors)], resamples=99
    )
    table = {row["strategy"]: row for row in rows}
    # digits as recomputed independently and printed: Table 2
    expected = {"chance": 59.519, "generic": 30.189, "nearest": 9.972, "task-blind": 14.601}
    for name, value in expected.items():
        assert 100 * table[name]["increase"] == pytest.approx(value, abs=6e-4), name
    assert 100 * table["optimal"]["error"] == pytest.approx(31.2413, abs=6e-5)
    assert table["optimal"]["increase"] == 0 and table["optimal"]["optimal"] == 1
    assert table["nearest"]["optimal"] == pytest.approx(33 / 50)
    # by hand, from the matrix: which task weighs most, and what is left without it
    red = paper.errors[np.arange(50), paper.task2vec_pick]
    rise = red / np.where(paper.eligible, paper.errors, np.inf).min(axis=1) - 1
    assert table["nearest"]["worst_task"] == paper.task_names[rise.argmax()]
    assert table["nearest"]["mean_without_worst"] == pytest.approx((rise.sum() - rise.max()) / 49)
    assert table["nearest"]["median"] == np.median(rise)
    assert np.isnan(table["chance"]["rank"])
    assert table["generic"]["minus_generic"] == 0
    assert "minus_asymmetric" not in table["generic"]  # it is no row
    assert 100 * table["nearest"]["minus_generic"] == pytest.approx(9.972 - 30.189, abs=1e-3)
    assert table["nearest"]["minus_generic_p"] < 0.05 < table["nearest"]["minus_blind_p"]


def test_the_table_compares_with_the_asymmetric_distance_where_that_is_a_row(paper):
    picks = np.zeros_like(paper.errors) + 1
    picks[np.arange(50), paper.task2vec_pick] = 0  # its red cells are taken for the best
    asymmetric = BruteForce(picks, name="asymmetric")
    red, generic = selection_table(paper, [asymmetric, Generic()], resamples=99)
    assert red["minus_asymmetric"] == 0
    assert 100 * generic["minus_asymmetric"] == pytest.approx(30.189 - 9.972, abs=1e-3)
    assert generic["minus_asymmetric_low"] == pytest.approx(-red["minus_generic_high"], rel=0.2)


def test_alpha_on_the_papers_data_is_chosen_near_the_papers(paper):
    symmetric, offset, _ = paper_numbers.split_distance(paper.distance)

    def distance(targets, experts, alpha):
        return (symmetric - alpha / 0.15 * offset)[np.ix_(targets, experts)]

    plain = leave_one_out(Nearest(distance, alpha=0.15), paper)
    # the split is exact to the colours' rounding
    assert (plain.picks == paper.task2vec_pick).sum() >= 48
    strategy = Nearest(distance, alpha="chosen")
    assert {strategy.chosen_alpha(paper.query(t)) for t in range(50)} <= {0.1, 0.15, 0.2}


def test_an_untried_expert_comes_last_for_the_task_blind():
    meta = random_meta(tasks=4, experts=3, ineligible=0)
    eligible = meta.eligible.copy()
    eligible[1:, 0] = False
    meta = replace(meta, errors=np.where(eligible, meta.errors, np.nan), eligible=eligible)
    assert TaskBlind().select(meta.query(0))[-1] == 0


def test_ties_keep_their_order_and_the_ineligible_are_left_out():
    may = np.array([True, False, True, True])
    assert list(ranked([1.0, 0.0, 0.5, 1.0], may)) == [2, 0, 3]


def test_a_meta_task_of_a_matrix_takes_the_generic_expert_out():
    one, two, target = (fake(np.arange(1.0, 7) + i) for i in range(3))
    matrix = ErrorMatrix(
        ("a", "b"),
        ("x", "generic", "y"),
        np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]),
        own=np.array([[True, False, False], [False, False, False]]),
        overlap=np.array([[True, False, False], [False, False, True]]),
    )
    meta = MetaTask.of(matrix, [one, two], {"x": target})
    assert meta.experts == [target, None] and meta.expert_names == ("x", "y")
    np.testing.assert_array_equal(meta.generic, [0.2, 0.5])
    np.testing.assert_array_equal(meta.errors, [[0.1, 0.3], [0.4, 0.6]])
    np.testing.assert_array_equal(meta.eligible, [[False, True], [True, True]])
    without = MetaTask.of(matrix, [one, two], {"x": target}, overlap=False)
    np.testing.assert_array_equal(without.eligible, [[False, True], [True, False]])


def test_what_cannot_be_answered_is_refused_by_name():
    meta = random_meta()
    with pytest.raises(InputError, match="errors: expected"):
        replace(meta, errors=meta.errors.T)
    with pytest.raises(InputError, match="task t3"):
        eligible = meta.eligible.copy()
        eligible[3] = False
        replace(meta, eligible=eligible)
    with pytest.raises(InputError, match="generic"):
        replace(meta, generic=np.zeros(2))
    with pytest.raises(InputError, match="no generic expert"):
        leave_one_out(Generic(), replace(meta, generic=None))
    with pytest.raises(InputError, match="domain"):
        leave_one_out(NearestDomain(), replace(meta, task_domains=None))
    with pytest.raises(InputError, match="errors of the experts on other tasks"):
        Nearest("asymmetric", alpha="chosen").select(meta.subset([0]).query(0))
    with pytest.raises(InputError, match="known training task"):
        leave_one_out(Nearest(), replace(meta, experts=[None] * 5))
