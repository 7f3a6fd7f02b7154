"""What a recommendation says, in plain words: for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from t2v.recommendation import Recommendation


def verdict(recommendation: Recommendation) -> str:
    """What to take, an expert or the generic network, and how certain the choice is."""
    experts, threshold = recommendation.experts, recommendation.threshold
    first, nearest = experts[0], recommendation.nearest
    alone = len(experts) == 1
    if threshold is None:
        of_zoo = f"{first} is the only expert of this zoo." if alone else _ranking(recommendation)
        return (
            f"{of_zoo} Whether it is better than the generic network is not known: there is no "
            "threshold for this probe and distance."
        )
    distance = f"at the symmetric distance {recommendation.symmetric.min():.3f}"
    if recommendation.use == first:
        if alone:
            return (
                f"Take {first}, the only expert of this zoo: its training task is {distance}, "
                f"below the threshold {threshold:.3f}."
            )
        whose = "its training task" if nearest == first else f"the nearest one, {nearest},"
        return (
            f"{_ranking(recommendation)} The zoo has experts near enough to be taken instead of "
            f"the generic network: {whose} is {distance}, below the threshold {threshold:.3f}."
        )
    whose = "the only expert of this zoo" if alone else "even the nearest expert"
    generic = (
        f"Take the generic network: {whose}, {nearest}, is {distance}, and the threshold is "
        f"{threshold:.3f}."
    )
    return generic if alone else f"{generic} Among the experts: {_ranking(recommendation)}"


def _ranking(recommendation: Recommendation) -> str:
    """Which of several experts comes first, and how certain that is."""
    first, halves = recommendation.experts[0], recommendation.halves
    if not halves and len(recommendation.contenders) > 1:
        return f"{' and '.join(recommendation.contenders)} are equally near."
    if not halves:
        return f"{first} comes first. How certain that is was not estimated."
    share = f"in {recommendation.top_share[0] * halves:.0f} of {halves} halves of the images"
    margin = f"it leads by {recommendation.margin:.3f} ± {recommendation.margin_spread:.3f}"
    if recommendation.decisive:
        return f"{first}, clearly: it comes first {share}, and {margin}."
    if len(recommendation.contenders) > 1:
        others = ", ".join(recommendation.contenders[1:])
        return f"{first} or {others}: too close to call ({first} comes first {share}; {margin})."
    return f"{first}, by a small margin: it comes first {share}, but {margin}."


def next_steps(recommendation: Recommendation) -> list[str]:
    """What to do next, in plain words."""
    first = recommendation.contenders if recommendation.halves else recommendation.experts[:1]
    names = " and ".join(first) if len(first) < 3 else f"{', '.join(first[:-1])} and {first[-1]}"
    steps = [
        f"Fit a linear classifier on the features of {names}, and one on those of the generic "
        "network, and compare them on held-out images. The distance says where to look first; the "
        "error decides.",
        "If you have a few thousand images, fine-tune the better one on them: it has less to "
        "learn than the others.",
    ]
    if recommendation.use not in recommendation.experts:
        steps.append(
            "Add experts trained on tasks like yours (t2v zoo add), if there are any: this zoo "
            "covers other things."
        )
    elif recommendation.halves and not recommendation.decisive:
        steps.append(
            "More images of each class would sharpen the answer: its uncertainty falls with "
            "the square root of their number."
        )
    return steps


def duration(seconds: float) -> str:
    """A duration with the digits that an estimate deserves."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"


def origin(recipe: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """Whether an expert that was trained here is that of the open zoo.

    Args:
        recipe: recipe of the packaged zoo, with `fingerprint`, `sha256` and `versions`.
        made: the same of the expert that was trained by it.
    """
    if made["sha256"] == recipe["sha256"]:
        return "the weights of the packaged zoo, to the last digit"
    if made["fingerprint"] != recipe["fingerprint"]:
        return "by the recipe, but the images are decoded to other values here than for the package"
    here, there = (r["versions"]["torch"] for r in (made, recipe))
    # one processor may round a sum in two ways, by where in memory its terms happen to lie
    why = "" if here == there else f" with torch {here} instead of {there}"
    return f"by the recipe{why}: the last digits differ, because sums are rounded differently here"
