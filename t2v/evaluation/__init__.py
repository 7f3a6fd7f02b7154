"""Evaluation of expert selection and of maps of tasks, with uncertainty over tasks.

Needs numpy and scipy only. Errors are shares in [0, 1], not per cent.
"""

from t2v.evaluation.agreement import Agreement, rank_agreement, weighted_tau
from t2v.evaluation.best_of_many import BestOfMany, best_of_many, gain_chosen_elsewhere
from t2v.evaluation.deferral import (
    best_threshold,
    calibration,
    gains,
    nearest_costs,
    running_gain,
    spread_inside_groups,
    threshold_correlations,
    thresholds_by_task,
)
from t2v.evaluation.intervals import (
    Estimate,
    Paired,
    bootstrap,
    mean_interval,
    paired_test,
    spearman_interval,
)
from t2v.evaluation.neighbourhoods import Curve, Hubs, Rate, hubs, same_group_rate, taxonomic_curve
from t2v.evaluation.regret import (
    GENERIC,
    best_errors,
    errors_of,
    mean_errors,
    nearest_eligible,
    rank_of_error,
    rank_of_pick,
    relative_error_increase,
    relative_increases,
    task_blind_picks,
)

__all__ = [
    # what there is to win
    "BestOfMany",
    "best_of_many",
    "gain_chosen_elsewhere",
    # choosing experts
    "GENERIC",
    "best_errors",
    "errors_of",
    "mean_errors",
    "nearest_eligible",
    "rank_of_error",
    "rank_of_pick",
    "relative_error_increase",
    "relative_increases",
    "task_blind_picks",
    # an expert or the generic network
    "best_threshold",
    "calibration",
    "gains",
    "nearest_costs",
    "running_gain",
    "spread_inside_groups",
    "threshold_correlations",
    "thresholds_by_task",
    # uncertainty over tasks
    "Agreement",
    "Estimate",
    "Paired",
    "bootstrap",
    "mean_interval",
    "paired_test",
    "rank_agreement",
    "spearman_interval",
    "weighted_tau",
    # maps of tasks
    "Curve",
    "Hubs",
    "Rate",
    "hubs",
    "same_group_rate",
    "taxonomic_curve",
]
