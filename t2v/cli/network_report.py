"""A comparison of published networks as one HTML file that needs no network to be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from t2v._run.files import replacing
from t2v.candidates.published import short
from t2v.cli.answer import Answer
from t2v.cli.network_words import (
    fine_tuned_words,
    interval,
    network_steps,
    network_verdict,
    similar_words,
)
from t2v.cli.report import chart, check_place, rendered


def write_network_report(answer: Answer, path: str | Path) -> None:
    """Write the report, whole or not at all.

    Args:
        answer: what was measured.
        path: the `.html` to write.

    Raises:
        FileError: if the folder of `path` does not exist.
    """
    path = Path(path)
    check_place(path)
    with replacing(path) as draft:
        draft.write_text(network_page(answer), encoding="utf-8")


def network_page(answer: Answer) -> str:
    """The report as text."""
    c = answer.comparison
    names, errors = [*c.names], [*c.errors]
    if c.by_hand is not None:
        names.append("HOG features, without a network")
        errors.append(c.by_hand)
    values, lows, highs = (
        100 * np.array([getattr(e, part) for e in errors]) for part in ("value", "low", "high")
    )
    similar = answer.similar
    rows = []
    for m, name in enumerate(c.names):
        network = answer.networks[name]
        rows.append(
            {
                "name": name,
                "inside": bool(c.inside[m]) and c.beats_chance,
                "million": c.parameters[m] / 1e6,
                "error": c.errors[m].value,
                "interval": interval(c.errors[m]),
                "neighbours": c.neighbours[m],
                "p_best": c.p_best[m],
                "leep": c.leep[m] if np.isfinite(c.leep[m]) else None,
                "logme": c.logme[m] if np.isfinite(c.logme[m]) else None,
                "similar": similar.errors.get(name) if similar else None,
                "top1": network.candidate.top1,
                "licence": short(network.candidate.licence),
                "size": network.probe.image_size,
                "sha256": network.probe.sha256,
            }
        )
    return rendered(
        "networks.html.jinja",
        task=answer.task,
        verdict=network_verdict(c),
        steps=network_steps(c),
        rows=rows,
        c=c,
        notes=answer.notes,
        left_out=answer.left_out,
        similar=similar_words(similar) if similar else None,
        tuned=[fine_tuned_words(one) for one in answer.fine_tuned],
        facts=answer.facts,
        **chart(names, values, lows, highs),
    )
