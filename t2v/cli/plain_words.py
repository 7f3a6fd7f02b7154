"""What a recommendation says, in plain words: for the terminal and for the report."""

from __future__ import annotations

from t2v.recommendation import Recommendation


def verdict(recommendation: Recommendation) -> str:
    """How certain the choice is, in plain words."""
    first, halves = recommendation.experts[0], recommendation.halves
    if len(recommendation.experts) == 1:
        return f"{first} is the only expert of this zoo, so there is nothing to choose."
    if not halves:
        return f"{first} is nearest. How certain that is was not estimated."
    share = f"in {recommendation.top_share[0] * halves:.0f} of {halves} halves of the images"
    margin = f"it leads by {recommendation.margin:.3f} ± {recommendation.margin_spread:.3f}"
    if recommendation.decisive:
        words = f"{first}, clearly: it is nearest {share}, and {margin}."
    elif len(recommendation.contenders) > 1:
        others = ", ".join(recommendation.contenders[1:])
        words = f"{first} or {others}: too close to call ({first} is nearest {share}; {margin})."
    else:
        words = f"{first}, by a small margin: it is nearest {share}, but {margin}."
    if recommendation.far_from_all:
        words += (
            " But none is near: your task is farther from all of them than they usually are from "
            "each other, so a generic network may do as well."
        )
    return words


def next_steps(recommendation: Recommendation) -> list[str]:
    """What to do next, in plain words."""
    first = recommendation.contenders if recommendation.halves else recommendation.experts[:1]
    names = " and ".join(first) if len(first) < 3 else f"{', '.join(first[:-1])} and {first[-1]}"
    steps = [
        f"Fit a linear classifier on the features of {names}, and one on those of the generic "
        "network, and compare them on held-out images. The distance says where to look first; the "
        "error decides.",
        "If you have a few thousand images, fine-tune the better one on them: it has less to "
        "learn than the generic network.",
    ]
    if recommendation.far_from_all:
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
