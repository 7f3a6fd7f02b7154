"""The field's published tables, computed again: correlations, and the static list beside scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, pearsonr

from t2v.book import tables
from t2v.errors import InputError
from t2v.evaluation import weighted_tau
from t2v.transferability import order_agreement, static_list

FIELD = Path(__file__).resolve().parents[2] / "book" / "results" / "field"
PRINTED = dict(abs=0.5e-3 + 1e-9)  # three decimals
COLUMNS = {"NCE": "nce", "LEEP": "leep", "LFC": "lfc", "h-Sc": "h_score", "LogMe": "logme"}
STATISTICS = {
    "Pearson R": lambda x, y: pearsonr(x, y).statistic,
    "K Tau": lambda x, y: kendalltau(x, y).statistic,
    "W Tau": weighted_tau,
}


def accuracies(name, expert="model", value="finetune_acc"):
    frame = tables.read(FIELD / f"{name}.csv")
    return frame.pivot(index="dataset", columns=expert, values=value)


def test_every_printed_correlation_of_transrates_notebook_but_its_own():
    scores = tables.read(FIELD / "transrate_scores.csv")
    printed = tables.read(FIELD / "transrate_printed_correlations.csv")
    printed = printed[printed.score != "TrR"]
    assert len(printed) == 243
    for row in printed.itertuples():
        scenario, case = row.call.rstrip(")").split("(")
        scenario = scenario.replace("ex_model", "model_extra").replace("_selection", "")
        rows = scores[(scores.scenario == scenario) & (scores.case == int(case))]
        value = STATISTICS[row.statistic](rows[COLUMNS[row.score]].to_numpy(), rows.acc.to_numpy())
        assert value == pytest.approx(row.value, abs=1e-4), row  # four decimals, some cut off


def test_transrates_own_weighted_tau_follows_from_its_eigenvalues():
    values = tables.read(FIELD / "transrate_recomputed.csv")
    printed = tables.read(FIELD / "transrate_printed_correlations.csv").set_index(
        ["call", "statistic", "score"]
    )
    cases = list(values.groupby(["scenario", "case"]))
    assert len(cases) == 4
    for (scenario, case), rows in cases:
        call = f"{'ex_' if scenario == 'model_extra' else ''}model_selection({case})"
        value = weighted_tau(rows.transrate.to_numpy(), rows.acc.to_numpy())
        assert value == pytest.approx(printed.value[call, "W Tau", "TrR"], abs=1e-4)


def test_a_static_list_orders_the_networks_better_than_the_printed_scores():
    table = accuracies("sfda_supervised").to_numpy()
    static = order_agreement(static_list(table), table)
    assert static.weighted_tau.mean() == pytest.approx(0.837, **PRINTED)
    assert static.shortfall.mean() == pytest.approx(0.08, abs=0.0055)
    assert static.shortfall.max() == pytest.approx(0.46, abs=1e-9)
    printed = tables.read(FIELD / "sfda_printed_tau.csv").groupby("score").weighted_tau.mean()
    means = {"SFDA": 0.710, "NLEEP": 0.611, "LogME": 0.509, "PARC": 0.467, "LEEP": 0.410}
    assert printed.to_dict() == pytest.approx(means, **PRINTED)


@pytest.mark.parametrize(
    "name, tau, mean, worst",
    [
        ("sfda_self_supervised", 0.685, 0.41, 2.99),
        ("emms_transformers", 0.777, 0.21, 1.08),
    ],
)
def test_static_list_on_other_pools(name, tau, mean, worst):
    table = accuracies(name).to_numpy()
    got = order_agreement(static_list(table), table)
    assert got.weighted_tau.mean() == pytest.approx(tau, **PRINTED)
    assert got.shortfall.mean() == pytest.approx(mean, abs=0.005)
    assert got.shortfall.max() == pytest.approx(worst, abs=1e-9)


@pytest.mark.parametrize("images, tau, worst", [("full", 0.719, 1.74), ("1000", 0.543, 17.0)])
def test_static_list_fails_where_pools_and_tasks_are_diverse(images, tau, worst):
    frame = tables.read(FIELD / "vtab.csv")
    frame = frame[frame.train_examples.astype(str) == images]
    table = frame.pivot(index="dataset", columns="method", values="accuracy").to_numpy()
    got = order_agreement(static_list(table), table)
    assert table.shape == (19, 16)
    assert got.weighted_tau.mean() == pytest.approx(tau, **PRINTED)
    assert got.shortfall.max() == pytest.approx(worst, abs=0.05)


def test_static_list_on_fine_tuned_networks_of_many_authors():
    table = accuracies("transfergraph", value="best_test_accuracy").dropna(axis=1).to_numpy()
    got = order_agreement(static_list(table), table)
    assert table.shape == (13, 111)
    assert got.weighted_tau.mean() == pytest.approx(0.280, **PRINTED)
    assert 100 * got.shortfall.mean() == pytest.approx(7.9, abs=0.05)


def test_two_papers_share_one_table():
    pd.testing.assert_frame_equal(
        accuracies("sfda_supervised"), accuracies("emms_convolutional"), check_like=True
    )


def test_some_printed_statistics_do_not_follow_from_their_rows():
    frame = tables.read(FIELD / "tllib_model_selection.csv")
    scores = ["hscore", "leep", "logme", "nce"]
    agree = {}
    for name, rows in frame.groupby("dataset"):
        printed = rows[rows.model_or_stat == "Weighted Tau"].iloc[0]
        rows = rows[rows.finetune_acc != "-"]
        accuracy = rows.finetune_acc.astype(float).to_numpy()
        values = [weighted_tau(rows[s].astype(float).to_numpy(), accuracy) for s in scores]
        # the printed digits of scores and accuracies are few
        agree[name] = sum(
            abs(v - float(printed[s])) < 0.0015 for s, v in zip(scores, values, strict=True)
        )
    assert sum(agree.values()) == 20
    assert agree["Aircraft"] + agree["OxfordIIITPets"] == 0
    dtd = frame[(frame.dataset == "DTD") & (frame.finetune_acc != "-")]
    assert (dtd.nce.astype(float) == dtd.logme.astype(float)).all()


def test_static_list_by_hand():
    table = np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.4], [0.3, np.nan, 0.2]])
    # shares of ranks: 1, 2/3, 1/3; 2/3, 1, 1/3; 1, -, 1/2
    expected = [[5 / 6, 1, 5 / 12], [1, 2 / 3, 5 / 12], [5 / 6, 5 / 6, 1 / 3]]
    np.testing.assert_allclose(static_list(table), expected, atol=1e-12)
    got = order_agreement(static_list(table), table)
    np.testing.assert_allclose(got.shortfall, [0.1, 0.1, 0], atol=1e-12)
    # a task's own accuracies do not enter its row, and the experts' order is theirs
    other = table.copy()
    other[0] = other[0, ::-1]
    np.testing.assert_array_equal(static_list(other)[0], static_list(table)[0])
    order = [2, 0, 1]
    np.testing.assert_array_equal(static_list(table[:, order]), static_list(table)[:, order])
    alone = np.where(np.arange(3)[:, None] == 0, table, [[0.5, np.nan, 0.4]])
    assert np.isnan(static_list(alone)[0, 1])


def test_static_list_depends_on_which_experts_are_in_it():
    first, second = [0.9, 0.8], [0.4, 0.5]
    table = np.array([first, second, [0.1, 0.2]])
    more = np.column_stack([table, [0.85, 0.3, 0.5]])  # between the two on the first task only
    assert np.diff(static_list(table)[2]) == 0
    assert np.diff(static_list(more)[2, :2]) < 0


def test_bad_tables_are_refused():
    table = np.array([[0.9, 0.8], [0.5, 0.6]])
    for bad in (table[:1], table[:, :1], table[0]):
        with pytest.raises(InputError, match="accuracies"):
            static_list(bad)
    with pytest.raises(InputError, match="one shape"):
        order_agreement(table[:, :1], table)
    with pytest.raises(InputError, match="no order"):
        order_agreement(np.ones((2, 2)), table)


def test_weighted_tau_by_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12))

    def one(by):
        rank = np.argsort(np.argsort(-by))
        weight = 1 / (rank + 1)
        pairs = [(i, j) for i in range(12) for j in range(i)]
        total = sum(weight[i] + weight[j] for i, j in pairs)
        agree = sum(
            np.sign((x[i] - x[j]) * (y[i] - y[j])) * (weight[i] + weight[j]) for i, j in pairs
        )
        return agree / total

    assert weighted_tau(x, y) == pytest.approx((one(x) + one(y)) / 2, rel=1e-12)
    for bad in ((x[:1], y[:1]), (x, y[:-1]), (x, np.append(y[:-1], np.nan)), (x, 0 * y)):
        with pytest.raises(InputError, match="scores, accuracies"):
            weighted_tau(*bad)
