"""What a comparison of published networks says, in plain words: for the terminal and the report."""

from __future__ import annotations

from t2v.candidates.comparison import FEW, Comparison
from t2v.candidates.fine_tuned import FineTuned
from t2v.candidates.similar import SimilarTasks
from t2v.evaluation import Estimate


def network_verdict(comparison: Comparison) -> str:
    """Which network to take and how certain that is, or why there is no answer."""
    c = comparison
    if not c.beats_chance:
        return (
            f"No answer: on these {c.images:,} images no network does better than naming one class "
            f"always, which errs on {c.chance:.1%}. Either what is seen says nothing about the "
            "class, or the images are too few."
        )
    first, others = c.names[0], c.undecided
    if len(c.names) == 1:
        words = (
            f"{first} is the only network that was compared. It errs on {_error(c, first)} of the "
            f"images; naming one class always errs on {c.chance:.1%}."
        )
    elif len(others) == 1:
        words = (
            f"Take {first}: it errs on {_error(c, first)} of the images, and each of the others "
            "errs on more of them, by more than luck explains."
        )
    else:
        names = f"{', '.join(others[:-1])} and {others[-1]}"
        size = dict(zip(c.names, c.parameters, strict=True))[str(c.smallest)] / 1e6
        words = (
            f"Too close to call: each of {names} may be the best one on images like these. Take "
            f"{c.take}, {_why(c)}: it errs on {_error(c, str(c.take))} of the images."
        )
        if c.smallest != c.take:
            words += (
                f" If size counts, take {c.smallest}, the smallest of them ({size:.1f} million "
                f"weights): it errs on {_error(c, str(c.smallest))}."
            )
    if c.hog_inside and c.by_hand is not None:
        words += (
            f" But HOG features, for which no network was trained, err on {c.by_hand.value:.1%}, "
            "and cannot be told from the best either: on these images, a network brings nothing "
            "that can be shown."
        )
    if c.fewest < FEW:
        words += (
            f" The smallest class has {c.fewest} images, so the answer is rough: more images "
            "will sharpen it."
        )
    return words


def network_steps(comparison: Comparison) -> list[str]:
    """What to do next, in plain words."""
    if not comparison.beats_chance:
        return [
            "Look at some images of each class. Could you tell the classes apart yourself?",
            "If you could, give more images of each class. If you could not, neither can a "
            "network.",
        ]
    steps = [
        f"Fit a linear classifier on the features of {comparison.take}. What you may expect on "
        "other images of the same kind is its error above, with its interval.",
        "If that is not enough and you have some hundreds of images of each class, fine-tune it: "
        "--finetune-top 1 shows what that brings.",
    ]
    if len(comparison.undecided) > 1:
        steps.append(
            "To tell the networks apart, give more images: intervals shrink with the square root "
            "of their number."
        )
    return steps


def similar_words(similar: SimilarTasks) -> str:
    """Which tasks of the open zoo are nearest."""
    near = [f"{n} ({d:.2f})" for n, d in zip(similar.names, similar.distances, strict=True)]
    return (
        f"By Task2Vec, the nearest tasks of the open zoo are {', '.join(near[:3])}. The column "
        f"“similar” has the networks' mean errors on the {len(near)} nearest."
    )


def fine_tuned_words(tuned: FineTuned) -> str:
    """What fine-tuning has brought."""
    return (
        f"{tuned.name}, fine-tuned on three quarters of the images: {tuned.after.value:.1%} "
        f"{interval(tuned.after)} on the rest, without fine-tuning {tuned.before.value:.1%} "
        f"{interval(tuned.before)}; {tuned.words}."
    )


def interval(estimate: Estimate) -> str:
    """The ends of an interval in per cent."""
    return f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _why(comparison: Comparison) -> str:
    """Why that one of several is named."""
    top1 = dict(zip(comparison.names, comparison.top1, strict=True))
    if any(top1[name] is None for name in comparison.undecided):
        return "which errs least here"
    return "which is the best of them on ImageNet"


def _error(comparison: Comparison, name: str) -> str:
    error = comparison.errors[comparison.names.index(name)]
    return f"{error.value:.1%} {interval(error)}"
