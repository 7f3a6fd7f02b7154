"""What `t2v recommend` has measured of networks, for the terminal, JSON and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from t2v.candidates import Comparison, Network, SimilarTasks
from t2v.candidates.fine_tuned import FineTuned
from t2v.cli.network_words import network_verdict


@dataclass(frozen=True, eq=False)
class Answer:
    """What was measured on a folder, with what is needed to measure it again.

    Attributes:
        task: name of the folder or table.
        comparison: the networks, the smallest error first.
        networks: the networks by name.
        similar: the nearest tasks of the open zoo; `None` if nothing was embedded.
        fine_tuned: networks that were fine-tuned.
        left_out: why a network is missing, by its name.
        notes: what was left out of the images, one sentence each.
        facts: date, command, seed, versions, device, checksum of the images.
    """

    task: str
    comparison: Comparison
    networks: dict[str, Network]
    similar: SimilarTasks | None
    fine_tuned: list[FineTuned]
    left_out: dict[str, str]
    notes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""
        c, on_similar = self.comparison, self.similar.errors if self.similar else {}
        rows = []
        for m, name in enumerate(c.names):
            candidate, network = self.networks[name].candidate, self.networks[name]
            rows.append(
                {
                    "name": name,
                    "error": c.errors[m].value,
                    "low": c.errors[m].low,
                    "high": c.errors[m].high,
                    "neighbours_error": float(c.neighbours[m]),
                    "p_best": float(c.p_best[m]),
                    "may_be_best": bool(c.inside[m]),
                    "leep": _plain(c.leep[m]),
                    "logme": _plain(c.logme[m]),
                    "error_on_similar_tasks": on_similar.get(name),
                    "parameters": c.parameters[m],
                    "imagenet_top1": candidate.top1,
                    "licence": candidate.licence,
                    "image_size": network.probe.image_size,
                    "weights_sha256": network.probe.sha256,
                }
            )
        similar = self.similar and dict(
            zip(self.similar.names, self.similar.distances, strict=True)
        )
        return {
            "task": self.task,
            "take": c.take,
            "smallest": c.smallest,
            "may_be_best": list(c.undecided) if c.beats_chance else [],
            "verdict": network_verdict(c),
            "networks": rows,
            "hog": None if c.by_hand is None else c.by_hand._asdict(),
            "chance": c.chance,
            "images": c.images,
            "classes": c.classes,
            "folds": c.folds,
            "similar_tasks": similar,
            "fine_tuned": [one.as_dict() for one in self.fine_tuned],
            "left_out": self.left_out,
            "notes": self.notes,
            **self.facts,
        }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
