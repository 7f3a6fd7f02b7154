"""The tables of the scorecard: made after the chapters, from kept tables and those of this run."""

from __future__ import annotations

from builder.chapters import Run
from t2v.book import scorecard


def write_scorecard(run: Run) -> None:
    """Write `results/scorecard.csv` and `results/scorecard_short.csv`, which pages include."""
    scorecard.write(
        run.out / "book",
        run.out / "results",
        command="make book",
        seed=run.seed,
        library=run.library,
        scale=run.scale,
    )
