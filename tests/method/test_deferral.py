"""An expert or the generic network: planted problems, and thresholds tried one by one."""

from dataclasses import replace

import numpy as np
import pytest

from t2v.distances import distance_matrix
from t2v.errors import InputError
from t2v.meta_task import MetaTask
from t2v.selection import (
    GENERIC,
    BruteForce,
    Generic,
    Nearest,
    NearestOrGeneric,
    TaskBlind,
    leave_one_out,
    selection_table,
)
from tests.fakes import FakeEmbedding


def problem(seed=0, tasks=60, experts=6, below=None, black_boxes=1):
    """Tasks at various distances from their nearest expert; generic error .3.

    Args:
        seed: seed.
        tasks: number of tasks.
        experts: number of experts with a training task.
        below: distance below which experts have error .15, else .45; None: at random, .45 oftener.
        black_boxes: number of further experts, of error .5.
    """
    rng = np.random.default_rng(seed)
    sources = [FakeEmbedding(rng.gamma(0.5, size=40)) for _ in range(experts)]
    targets = []
    for t in range(tasks):
        noise, share = rng.gamma(0.5, size=40), rng.random()
        targets.append(FakeEmbedding((1 - share) * sources[t % experts].fisher + share * noise))
    distance = distance_matrix(targets, sources)
    good = rng.random(distance.shape) < 0.3 if below is None else distance < below
    errors = np.column_stack([np.where(good, 0.15, 0.45), np.full((tasks, black_boxes), 0.5)])
    eligible = rng.random(errors.shape) < 0.9
    eligible[np.arange(tasks), np.arange(tasks) % experts] = True
    return MetaTask(
        targets, sources + [None] * black_boxes, errors, eligible, np.full(tasks, 0.3), floor=0.01
    )


def rule_by_hand(meta, thresholds):
    """Mean increase over the best of all for each threshold: the definition, with loops."""
    known = [m for m, expert in enumerate(meta.experts) if expert is not None]
    distance = distance_matrix(meta.tasks, [meta.experts[m] for m in known])
    costs = []
    for threshold in thresholds:
        increases = []
        for t in range(len(meta.tasks)):
            may = [m for m in known if meta.eligible[t, m]]
            nearest = min(may, key=lambda m: distance[t, known.index(m)])
            near = distance[t, known.index(nearest)] < threshold
            reached = meta.errors[t, nearest] if near else meta.generic[t]
            everyone = [*meta.errors[t][meta.eligible[t]], meta.generic[t]]
            increases.append(max(reached, 0.01) / max(min(everyone), 0.01) - 1)
        costs.append(np.mean(increases))
    return np.array(costs)


@pytest.mark.parametrize("below", [0.05, 0.1, 0.2])
def test_the_planted_threshold_is_recovered(below):
    meta = problem(below=below)
    distance = distance_matrix(meta.tasks, meta.experts[:-1])
    of_task = np.where(meta.eligible[:, :-1], distance, np.inf).min(axis=1)
    assert (of_task < below).sum() > 9 and (of_task > below).sum() > 9
    nearest = np.sort(of_task)
    at = np.searchsorted(nearest, below)
    strategy = NearestOrGeneric()
    for t in range(len(meta.tasks)):
        # to the gap in which it lies, or the next one if its end is the target's own distance
        assert nearest[at - 2] < strategy.learnt_threshold(meta.query(t)) < nearest[at + 1]
    outcome = leave_one_out(strategy, meta)
    wrong = (outcome.picks != GENERIC) != (of_task < below)
    assert wrong.sum() <= 2  # only the two tasks at the gap can be missed
    for other in (Nearest(), Generic(), TaskBlind()):
        assert outcome.errors.mean() < leave_one_out(other, meta).errors.mean()


def test_without_a_relation_the_generic_network_is_taken():
    shares = [
        (leave_one_out(NearestOrGeneric(), problem(seed)).picks == GENERIC).mean()
        for seed in range(5)
    ]
    assert np.mean(shares) > 0.85


def test_where_all_experts_are_better_one_is_always_taken():
    meta = problem(below=2.0)
    outcome = leave_one_out(NearestOrGeneric(), meta)
    np.testing.assert_array_equal(outcome.picks, leave_one_out(Nearest(), meta).picks)


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_is_better_than_the_learnt_one(seed):
    rng = np.random.default_rng(seed)
    meta = problem(seed, tasks=14)
    meta = replace(
        meta, errors=rng.uniform(0, 0.6, meta.errors.shape), generic=rng.uniform(0, 0.6, 14)
    )
    query = meta.query(3)
    learnt = NearestOrGeneric().learnt_threshold(query)
    grid = np.concatenate([[-np.inf], np.linspace(0, 1, 2001), [np.inf]])
    costs = rule_by_hand(query.others, [*grid, learnt])
    assert costs[-1] == pytest.approx(costs.min(), rel=1e-12)
    # and it is the smallest of the good ones, up to the gap between two distances
    first = grid[np.flatnonzero(costs[:-1] <= costs.min() + 1e-12)[0]]
    assert first <= learnt
    others = query.others
    distance = distance_matrix(others.tasks, others.experts[:-1])
    nearest = np.where(others.eligible[:, :-1], distance, np.inf).min(axis=1)
    assert not ((nearest >= first) & (nearest < learnt)).any() or np.isinf(first)


def test_the_generic_network_ranks_as_an_expert_at_the_threshold():
    meta = problem(below=0.2)
    for t in range(10):
        query = meta.query(t)
        ranking = NearestOrGeneric(threshold=0.2).select(query)
        experts = Nearest().select(query)
        np.testing.assert_array_equal(ranking[ranking != GENERIC], experts)
        distance = distance_matrix([meta.tasks[t]], meta.experts[:-1])[0]
        assert list(ranking).index(GENERIC) == (distance[experts] < 0.2).sum()
    for threshold, same in ((0.0, Generic()), (2.0, Nearest())):
        outcome = leave_one_out(NearestOrGeneric(threshold=threshold), meta)
        np.testing.assert_array_equal(outcome.errors, leave_one_out(same, meta).errors)


def test_the_table_counts_the_generic_network_among_all():
    meta = problem(below=0.2)
    strategies = [NearestOrGeneric(), Nearest(), Generic(), BruteForce(meta.errors)]
    rows = {r["strategy"]: r for r in selection_table(meta, strategies, resamples=99)}
    best = np.where(meta.eligible, meta.errors, np.inf).min(axis=1)
    of_all = np.minimum(best, meta.generic)
    for strategy in strategies:
        outcome, row = leave_one_out(strategy, meta), rows[strategy.name]
        assert row["increase_of_all"] == pytest.approx(np.mean(outcome.errors / of_all - 1))
        assert row["increase"] == pytest.approx(np.mean(outcome.errors / best - 1))
    ours = leave_one_out(NearestOrGeneric(), meta).errors
    better = [(meta.errors[t][meta.eligible[t]] < ours[t]).sum() for t in range(len(ours))]
    row = rows["nearest-or-generic"]
    assert row["rank"] == pytest.approx(1 + np.mean(better))
    assert row["optimal"] == pytest.approx(np.mean(np.equal(better, 0)))
    assert np.isnan(rows["generic"]["rank"])
    assert (
        "increase_of_all"
        not in selection_table(replace(meta, generic=None), [Nearest()], resamples=99)[0]
    )


def test_a_meta_task_without_what_is_needed_is_refused_in_one_line():
    meta = problem()
    alone = replace(meta, generic=None)
    for strategy in (NearestOrGeneric(), NearestOrGeneric(threshold=0.0)):
        with pytest.raises(InputError, match="no generic expert") as raised:
            leave_one_out(strategy, alone)
        assert "\n" not in str(raised.value)
    # near enough everywhere: the generic network is not needed
    assert (leave_one_out(NearestOrGeneric(threshold=2.0), alone).picks != GENERIC).all()
    with pytest.raises(InputError, match="errors of the experts on other tasks"):
        NearestOrGeneric().select(meta.subset([0]).query(0))
    with pytest.raises(InputError, match="known training task"):
        leave_one_out(NearestOrGeneric(), replace(meta, experts=[None] * len(meta.experts)))
