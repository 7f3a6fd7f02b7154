"""The command `t2v audit`: what is in a folder of images, before it is used."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from jinja2 import Environment, StrictUndefined

from t2v import __version__
from t2v._run.files import replacing
from t2v.cli.options import (
    Device,
    Groups,
    Images,
    ImageSize,
    Json,
    ProbeName,
    Seed,
    Weights,
    say,
    say_aside,
)
from t2v.cli.plain_words import duration
from t2v.cli.report import check_place
from t2v.reading.found import counted, sizes

if TYPE_CHECKING:
    from t2v.audit.audit import Audit, Copies

HARD = 0.2  # error of the head from which on most suspects are hard images rather than wrong labels


def audit(
    images: Images,
    probe: ProbeName = "imagenet",
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    max_images: Annotated[
        int | None,
        typer.Option(help="Look at this many images, drawn evenly over classes.", min=2),
    ] = None,
    groups: Groups = None,
    top: Annotated[int, typer.Option(help="Number of examples of each kind to show.", min=1)] = 10,
    report: Annotated[
        Path | None, typer.Option(help="Write a report with the images to this file (.html).")
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
) -> None:
    """Look through a folder of images: what would be read, copies, and doubtful labels.

    The folder may also hold splits such as train and val: then copies across them are named.
    """
    from t2v.audit.audit import audit as look
    from t2v.probe import load_probe

    if report is not None:
        check_place(report)
    network = load_probe(probe, weights, image_size, device)
    found = look(
        images,
        network,
        max_images=max_images,
        groups=groups,
        seed=seed,
        progress=not as_json,
        tell=lambda seconds: say_aside(f"{images}: looking takes about {duration(seconds)}"),
    )
    if report is not None:
        with replacing(report) as draft:
            draft.write_text(page(found, top), encoding="utf-8")
    if as_json:
        print(json.dumps(found.as_dict(), allow_nan=False))
        return
    for title, lines in sections(found, top):
        say(title)
        for line in lines:
            say(f"  {line}")
    if report is not None:
        say(f"{report}: the same, with the images")


def sections(found: Audit, top: int) -> Iterator[tuple[str, list[str]]]:
    """Titles, and lines below each of them."""
    yield _summary(found), _passed_over(found, top)
    for title, pairs in _kinds_of_copies(found):
        if pairs:
            shown = [_pair(found, pair) for pair in pairs[:top]]
            yield f"{len(pairs):,} {title}", [*shown, *_more(len(pairs), top)]
    if not found.copies:
        yield "No copies.", []
    if found.doubts is None:
        yield f"Labels were not looked at: {found.no_doubts}", []
        return
    yield (
        doubts_in_words(found),
        [
            *(_suspect(found, i) for i in found.doubts.suspects[:top]),
            *_more(len(found.doubts.suspects), top),
        ],
    )


def _summary(found: Audit) -> str:
    images = found.found
    classes = f"{len(images.classes)} classes ({sizes(images.labels, images.classes)})"
    line = f"{images.where}: {len(images.paths):,} images in {classes}"
    if any(found.splits):
        in_splits = [f"{s} {found.splits.count(s):,}" for s in dict.fromkeys(found.splits)]
        line += f"; splits: {', '.join(in_splits)}"
    return line


def _passed_over(found: Audit, top: int) -> list[str]:
    lines = []
    if found.found.passed:
        lines.append(f"passed over: {counted(found.found.passed)}")
    if found.unusable:
        lines.append(f"{len(found.unusable):,} images cannot be used:")
        lines += [f"  {skip.path}: {skip.reason}" for skip in found.unusable[:top]]
        lines += _more(len(found.unusable), top)
    return [*lines, *found.remarks, *found.found.hints]


def _kinds_of_copies(found: Audit) -> Iterator[tuple[str, list[Copies]]]:
    titles = {
        (True, True): "images with several labels, equal to the last pixel",
        (False, True): "pairs of nearly equal images with different labels",
        (True, False): "copies within a class, equal to the last pixel",
        (False, False): "pairs of nearly equal images within a class",
    }
    for (exact, across), title in titles.items():
        yield (
            title,
            [
                pair
                for pair in found.copies
                if pair.exact == exact and found.across_classes(pair) == across
            ],
        )
    yield "of these pairs are in two splits", [p for p in found.copies if found.across_splits(p)]


def _pair(found: Audit, pair: Copies) -> str:
    i, j = pair.images
    alike = "" if pair.exact else f" (correlation {pair.alike:.3f})"
    return f"{found.found.short(i)} = {found.found.short(j)}{alike}"


def doubts_in_words(found: Audit) -> str:
    """How many labels are doubted, and how far the doubt is to be trusted."""
    doubts = found.doubts
    assert doubts is not None
    count, error = len(doubts.suspects), f"{doubts.error:.0%}"
    chance = 1 - 1 / len(found.found.classes)
    if not count:
        return f"No label is doubted by heads trained on the other images; they err on {error}."
    words = (
        f"{count:,} labels are doubted by heads trained on the other images, the most doubtful "
        f"first. These heads err on {error} of the images"
    )
    if doubts.error > HARD:
        return f"{words} (chance: {chance:.0%}), so most of the doubts are hard images."
    return f"{words}."


def _suspect(found: Audit, i: int) -> str:
    doubts = found.doubts
    assert doubts is not None
    k = int(doubts.suggested[i])
    own = doubts.probabilities[i, found.found.labels[i]]
    return (
        f"{found.found.short(i)}: {found.label(i)} ({own:.0%}), or "
        f"{found.found.classes[k]} ({doubts.probabilities[i, k]:.0%})?"
    )


def _more(count: int, top: int) -> list[str]:
    return [f"and {count - top:,} more"] if count > top else []


def page(found: Audit, top: int) -> str:
    """The report as one HTML file that needs no network."""
    source = files("t2v.cli").joinpath("audit.html.jinja").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    kinds = [(title, pairs) for title, pairs in _kinds_of_copies(found) if pairs]
    return template.render(
        found=found,
        summary=_summary(found),
        passed=_passed_over(found, top),
        kinds=kinds,
        top=top,
        pair=lambda pair: _pair(found, pair),
        suspect=lambda i: _suspect(found, i),
        words="" if found.doubts is None else doubts_in_words(found),
        picture=lambda i: _picture(found, i),
        version=__version__,
    )


def _picture(found: Audit, i: int) -> str:
    """An image as an address that holds it."""
    from PIL import Image

    buffer: Any = BytesIO()
    Image.fromarray(found.images[i].permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
