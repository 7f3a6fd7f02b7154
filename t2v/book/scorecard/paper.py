"""The paper's own numbers, as the scorecard needs them, from the tables of `book/paper`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from t2v.book import paper_numbers
from t2v.book.scorecard.measures import Finding, Tables
from t2v.evaluation import (
    best_errors,
    errors_of,
    paired_test,
    relative_increases,
    same_group_rate,
    spearman_interval,
)

Number = Callable[[Tables], float]

# names that Fig. 1 left gives to garments: its colours have slid by one entry (chapter 8)
_GARMENT_COLOURS = ("Reptilia", "Category", "Color", "Gender", "Material", "Neckline", "Pants",
                    "Shoes")  # fmt: skip


def on_its_map(t: Tables) -> float:
    """Dots of garments on Fig. 1 left whose nearest is of their group, in %."""
    dots = t("fig1_points")
    names = dots.colour_group_by_legend.str.split(" (", regex=False).str[0]
    chosen = (dots.panel == "task") & names.isin(_GARMENT_COLOURS)
    places = dots.loc[chosen, ["x_pt", "y_pt"]].to_numpy()
    return 100 * same_group_rate(cdist(places, places), names[chosen].tolist()).rate


def nearest_of_class(t: Tables) -> float:
    """Tasks of iNat+CUB whose nearest, by the symmetric distance, is of their class, in %."""
    zoo = paper_numbers.inat_cub(t.folder)
    symmetric, _, _ = paper_numbers.split_distance(zoo.distance)
    nearest = np.nanargmin(symmetric, axis=1)
    return float(100 * np.mean(zoo.taxon[nearest] == zoo.taxon))


def nearest_in_tree(t: Tables) -> float:
    """Taxonomic distance of the nearest task in levels, Fig. 2 centre."""
    frame = t("fig2_center_digitised")
    return float(frame[frame.k == 1].task2vec_avg_tax_distance.item())


def norm_and_error(*data_sets: str) -> Number:
    """Rank correlation of norm and own error, paired rightly; of several data sets the least."""

    def number(t: Tables) -> float:
        zoo = paper_numbers.inat_cub(t.folder)
        assert zoo.norm is not None and zoo.own_error is not None
        parts = [zoo.data_set == name for name in data_sets] or [np.ones(len(zoo.tasks), bool)]
        return min(
            spearman_interval(zoo.norm[part], zoo.own_error[part], resamples=9).value
            for part in parts
        )

    return number


def _over_generic(t: Tables) -> tuple[paper_numbers.Array, paper_numbers.Array]:
    zoo = paper_numbers.inat_cub(t.folder)
    assert zoo.generic is not None
    return zoo.generic, best_errors(zoo.errors, zoo.eligible)


def generic_beaten(t: Tables) -> float:
    """Tasks of iNat+CUB on which an expert errs less than ImageNet, in %."""
    generic, best = _over_generic(t)
    return float(100 * np.mean(best < generic - 1e-9))


def gain(t: Tables) -> float:
    """Points of error by which the best expert beats ImageNet on iNat+CUB."""
    generic, best = _over_generic(t)
    return float(100 * np.mean(generic - best))


def best_picked(t: Tables) -> float:
    """Tasks of iNat+CUB whose pick is the best eligible expert, in %."""
    zoo = paper_numbers.inat_cub(t.folder)
    picked = errors_of(zoo.errors, zoo.task2vec_pick, zoo.eligible)
    return float(100 * np.mean(picked == best_errors(zoo.errors, zoo.eligible)))


def with_most_images(way: str) -> Number:
    """Pick less ImageNet at the right end of Fig. 4, in points over brute force."""

    def number(t: Tables) -> float:
        frame = t("fig4_digitised")
        frame = frame[frame.n_samples == frame.n_samples.max()].set_index("curve")
        error = frame.error_relative_to_brute_force_percent
        return float(error[f"Task2Vec {way}"] - error[f"ImageNet {way}"])

    return number


def probes(t: Tables) -> float:
    """Error increase of the worst probe of Table 1 less that of the ResNet, in points."""
    printed = t("table_1").set_index("probe")["all"].drop("chance")
    return float(printed.max() - printed["ResNet-34"])


def table_2(column: str, one: str, other: str) -> Number:
    """Difference of two rows of Table 2, in points."""

    def number(t: Tables) -> float:
        printed = t("table_2").set_index("strategy")[column]
        return float(printed[one] - printed[other])

    return number


def without_same_order(t: Tables) -> Finding:
    """The paper's asymmetric picks less ImageNet on tasks without a same-order pick, in points."""
    zoo = paper_numbers.inat_cub(t.folder)
    assert zoo.generic is not None
    other = ~paper_numbers.same_order_picks(zoo)
    picked = errors_of(zoo.errors, zoo.task2vec_pick, zoo.eligible)
    increase, generic = (
        100 * relative_increases(errors, zoo.errors, zoo.eligible)[other]
        for errors in (picked, zoo.generic)
    )
    return Finding(paired_test(increase, generic).difference)
