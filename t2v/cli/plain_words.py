"""What a recommendation says, in plain words: for the terminal and for the report."""

from __future__ import annotations

from t2v.recommendation import Recommendation


def verdict(recommendation: Recommendation) -> str:
    """What to take, an expert or the generic network, and how certain the choice is."""
    first, threshold = recommendation.experts[0], recommendation.threshold
    if threshold is None:
        return (
            f"{_ranking(recommendation)} Whether it is near enough to be better than the generic "
            "network is not known: there is no threshold for this probe and distance."
        )
    distance = f"at the symmetric distance {recommendation.symmetric[0]:.3f}"
    if recommendation.use == first:
        return (
            f"{_ranking(recommendation)} {first} is near enough to be taken instead of the generic "
            f"network: {distance}, below the threshold {threshold:.3f}."
        )
    return (
        f"Take the generic network: no expert is near enough. The first one, {first}, is "
        f"{distance}, not below the threshold {threshold:.3f}. Among the experts: "
        f"{_ranking(recommendation)}"
    )


def _ranking(recommendation: Recommendation) -> str:
    """Which expert comes first, and how certain that is."""
    first, halves = recommendation.experts[0], recommendation.halves
    if len(recommendation.experts) == 1:
        return f"{first} is the only expert of this zoo, so there is nothing to choose."
    if not halves:
        return f"{first} is nearest. How certain that is was not estimated."
    share = f"in {recommendation.top_share[0] * halves:.0f} of {halves} halves of the images"
    margin = f"it leads by {recommendation.margin:.3f} ± {recommendation.margin_spread:.3f}"
    if recommendation.decisive:
        return f"{first}, clearly: it is nearest {share}, and {margin}."
    if len(recommendation.contenders) > 1:
        others = ", ".join(recommendation.contenders[1:])
        return f"{first} or {others}: too close to call ({first} is nearest {share}; {margin})."
    return f"{first}, by a small margin: it is nearest {share}, but {margin}."


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
