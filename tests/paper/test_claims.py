"""What the book says about the paper itself: no function of the project is tested here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from t2v.book import tables
from tests.oracles import variational_objective

PAPER = Path(__file__).resolve().parents[2] / "book" / "paper"


def test_prior_has_no_optimum_without_the_weights():
    """Dropping ŵ² (as the main text's KL of N(0, Λ) does) leaves no optimum in λ²."""
    rng = np.random.default_rng(1)
    fisher, beta = rng.exponential(1e-3, (5, 12)), 1e-4

    def best_given_prior(log_prior):
        precision = fisher.mean(1) / beta + np.exp(log_prior)
        return variational_objective(np.log(precision), log_prior, fisher, 0 * fisher, beta)

    values = [best_given_prior(x) for x in np.arange(0.0, 25.0)]
    assert (np.diff(values) < 0).all()


def test_legend_of_figure_1_left_has_slid_by_one():
    dots = tables.read(PAPER / "fig1_points.csv")
    counts = dots.groupby(["colour_group_by_legend", "panel"], sort=False).size().unstack()
    legend = list(counts.index)
    start = legend.index("Protozoa (n)")
    task, domain = counts["task"].tolist(), counts["domain"].tolist()
    assert task[start : start + 7] == domain[start + 1 : start + 8] == [3, 65, 21, 3, 34, 11, 21]
    assert task[-2:] == [28, 16] and domain[-1] == 28 + 16
    assert (sum(task), sum(domain)) == (339, 406)


def test_figures_2_and_4_as_printed():
    centre = tables.read(PAPER / "fig2_center_digitised.csv")
    assert centre.k.tolist() == [1, 3, 5, 10, 20, 30, 50, 100, 120]
    assert centre.task2vec_avg_tax_distance.tolist()[:3] == [1.267, 1.389, 1.487]
    assert centre.taxonomic_avg_tax_distance.tolist()[:3] == [0.817, 1.011, 1.112]
    curves = tables.read(PAPER / "fig4_digitised.csv").set_index("curve")
    column = "error_relative_to_brute_force_percent"
    assert curves.loc["ImageNet fixed", "n_samples"].tolist() == [
        100, 203, 416, 848, 1732, 3533, 7208, 14705, 30000
    ]  # fmt: skip
    assert curves.loc["ImageNet finetune", column].tolist() == [2.89, 1.78, 2.04, -8.27, -12.96]
    assert curves.loc["Task2Vec fixed", column].tolist()[-1] == 1.64
