"""Transferability scores: how well an expert's features or head suit a task, without fine-tuning.

Arrays in, a number out; higher is better. Needs numpy, scipy and scikit-learn only. `SCORES` lists
the functions with what they need and when they are valid; `permutation_null` says what a score
gives for labels that say nothing.
"""

from t2v.transferability.baselines import (
    held_out_predictions,
    linear_probe,
    nearest_neighbours,
)
from t2v.transferability.bhattacharyya import gbc
from t2v.transferability.coding_rate import transrate
from t2v.transferability.covariances import (
    PillaiTest,
    h_score,
    pillai_test,
    regularised_h_score,
)
from t2v.transferability.evidence import logme
from t2v.transferability.fisher_space import sfda
from t2v.transferability.image_pairs import parc, parc_auc, parc_ceiling
from t2v.transferability.mixture import n_leep
from t2v.transferability.null import Null, permutation_null
from t2v.transferability.registry import SCORES, Score
from t2v.transferability.source_classes import leep, nce
from t2v.transferability.static_list import OrderAgreement, order_agreement, static_list

__all__ = [
    # from an expert's own head
    "leep",
    "nce",
    # from features
    "gbc",
    "h_score",
    "logme",
    "n_leep",
    "parc",
    "regularised_h_score",
    "sfda",
    "transrate",
    # what they are to be read against
    "PillaiTest",
    "Null",
    "parc_auc",
    "parc_ceiling",
    "permutation_null",
    "pillai_test",
    # baselines
    "held_out_predictions",
    "linear_probe",
    "nearest_neighbours",
    "static_list",
    # all of them, and how well they order experts
    "SCORES",
    "OrderAgreement",
    "Score",
    "order_agreement",
]
