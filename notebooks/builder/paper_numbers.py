"""The table of the paper map: what the paper prints, and what the chapters of this run computed.

Made after the chapters, from the tables that they wrote, so that it is never older than they are.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from builder.chapters import ROOT, Run
from t2v.book import tables
from t2v.book.scorecard.claims import PRINTED

NOTHING = "–"

Row = tuple[str, str, str, str]
"""Figure or table of the paper, quantity, the paper's number, the number of this run."""


def write_paper_numbers(run: Run) -> None:
    """Write `results/paper_numbers.csv`; a number that this run did not compute is a dash."""
    results = Results(run.out / "results")
    drawn = run.library == "synthetic"
    ours = "■ this run, synthetic library" if drawn else "● this run, photographs"
    rows = [*_figures(results, run.library), _table_1(results), *_table_2(results)]
    frame = pd.DataFrame(rows, columns=["paper", "what", "◆ the paper's", ours])
    tables.write(
        frame,
        run.out / "results" / "paper_numbers.csv",
        command="make book",
        seed=run.seed,
        library=run.library,
        scale=run.scale,
        limits="Other tasks and experts than the paper's: compare signs and orders, not digits.",
        columns={
            "paper": {"unit": "", "meaning": "figure or table of the paper"},
            "what": {"unit": "", "meaning": "quantity that is compared"},
            "◆ the paper's": {
                "unit": "as written",
                "meaning": "number printed, or computed from what the figures show (chapter 8)",
            },
            ours: {"unit": "as written", "meaning": "number of this run [95% interval]"},
        },
    )


class Results:
    """Numbers of a run's tables, as text.

    Args:
        folder: folder of the tables; those of chapters that did not run are missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        figures = self.table("paper_figures")
        self.of_figures = (
            {} if figures is None else dict(zip(figures.number, figures.value, strict=True))
        )

    def table(self, name: str) -> pd.DataFrame | None:
        """A table, checked against its sidecar; `None` if it was not written."""
        path = self.folder / f"{name}.csv"
        return tables.read(path) if path.exists() else None

    def row(self, name: str, **conditions: object) -> pd.Series | None:
        """First row of a table whose columns have the given values; `None` if there is none."""
        frame = self.table(name)
        for column, value in conditions.items() if frame is not None else ():
            frame = frame[frame[column] == value]
        return None if frame is None or frame.empty else frame.iloc[0]

    def interval(
        self, name: str, column: str, form: str, *, factor: float = 1, **conditions: object
    ) -> str:
        """A number with its interval, `low` and `high` of the same row, or a dash.

        Args:
            name: of the table.
            column: column of the number.
            form: format of all three, such as "{:.2f}".
            factor: what they are multiplied by: 100 for per cent.
            **conditions: values of other columns that choose the row.
        """
        row = self.row(name, **conditions)
        if row is None:
            return NOTHING
        value, low, high = (form.format(factor * row[key]) for key in (column, "low", "high"))
        return f"{value} [{low}, {high}]"

    def from_figures(self, text: str) -> str:
        """Text with numbers that chapter 8 computed from the paper's figures, or a dash."""
        return text.format(**self.of_figures) if self.of_figures else NOTHING


PARTS = {
    "open": ("living things: same group", "same images: most alike answers", "clothing"),
    "real": ("cub: same group", "fashion: same group", "fashion"),
    "synthetic": ("phylogeny: same group", "wardrobe: same group", "wardrobe"),
}
"""Of each library: question about living things, question about tasks on the same images (both of
the table `map_rates`), and the part that has garments."""


def _figures(results: Results, library: str) -> list[Row]:
    of_nature, on_same_images, garments = PARTS.get(library, PARTS["open"])
    nature = of_nature.split(":")[0]
    per_cent = {"column": "rate", "form": "{:.0f}%", "factor": 100}
    rows = []
    for embedding in ("task", "domain"):
        ours = results.interval(
            "map_rates", question=on_same_images, embedding=embedding, **per_cent
        )
        paper = results.from_figures(f"{{one-{embedding}-garments:.0f}}% on its map")
        what = f"tasks on the same images whose nearest asks alike, by {embedding} embedding"
        rows.append(("Fig. 1", what, paper, ours))
    ours = results.interval("map_rates", question=of_nature, embedding="task", **per_cent)
    what = "living things whose nearest is of the same class"
    rows.append(("Fig. 2 left", what, results.from_figures("{two-left-share:.0f}%"), ours))
    first = results.row("taxonomic_curve", k=1)
    ours = results.interval("taxonomic_curve", "mean", "{:.2f}", k=1)
    ours += "" if first is None else f" levels (best: {first.best:.2f})"
    paper = results.from_figures("{two-centre-one:.2f} levels (best: {two-centre-best:.2f})")
    rows.append(("Fig. 2 centre", "taxonomic distance of the nearest", paper, ours))
    drawn = results.from_figures("{two-right-drawn:.2f} as drawn, {two-right-paired:.2f} paired")
    for kind, within, paper in (
        ("living things", nature, drawn),
        ("garments", garments, "not drawn"),
    ):
        ours = results.interval(
            "norm_correlations", "spearman", "{:+.2f}", within=within, against="error"
        )
        rows.append(("Fig. 2 right", f"rank correlation of norm and error, {kind}", paper, ours))
    row = results.row(
        "selection_strategies", meta_task="living", overlap=True, strategy="asymmetric"
    )
    ours = NOTHING if row is None else f"{100 * row.optimal:.0f}%"
    what = "asymmetric picks that are the best expert, living things"
    rows.append(("Fig. 3", what, results.from_figures("{six-best-share:.0f}%"), ours))
    curves = results.table("figure_4_curves")
    for place, key in ((0, "fewest"), (-1, "most")):
        ours = NOTHING
        if curves is not None:
            end = curves[curves.way == "Task2Vec fixed"].iloc[place]
            ours = f"{end['mean']:+.0f}% [{end.low:.0f}, {end.high:.0f}], {end.images:.0f} images"
        paper = results.from_figures(
            f"{{four-pick-{key}:+.1f}}%, {{four-images-{key}:,.0f}} images"
        )
        rows.append(("Fig. 4", f"pick over brute force, fixed, with the {key} images", paper, ours))
    ours = results.interval(
        "toy", "mean", "{:+.2f}", features="ReLU features", what="size and length of the boundary"
    )
    what = "rank correlation of size and length of the boundary"
    rows.append(("Fig. 5", what, "no number", ours))
    row = results.row("matrix_gains", tasks="all", pool="all experts")
    ours = NOTHING if row is None else f"{row.better:.0f}%"
    what = "tasks on which some specialist beats the generic expert"
    rows.append(("Fig. 6", what, results.from_figures("{three-ahead-share:.0f}%"), ours))
    return rows


def _table_1(results: Results) -> Row:
    printed = tables.read(ROOT / "book" / "paper" / "table_1.csv").set_index("probe")["all"]
    paper = ", ".join(f"{probe} {value:+.2f}%" for probe, value in printed.drop("chance").items())
    frame, ours = results.table("choice_of_probe"), NOTHING
    if frame is not None:
        part = frame[frame["meta-task"] == "living"]
        ours = ", ".join(
            f"{probe} {value.split(' ')[0]}%"
            for probe, value in zip(part.probe, part["all (%)"], strict=True)
        )
    return ("Table 1", "error over the best, by probe, iNat+CUB", paper, ours)


def _table_2(results: Results) -> list[Row]:
    printed = tables.read(ROOT / "book" / "paper" / "table_2.csv").set_index("strategy")
    rows = []
    for strategy, (inat_cub, mixed) in printed.drop("optimal").iterrows():
        for meta_task, theirs, value in (
            ("living", "iNat+CUB", inat_cub),
            ("mixed", "Mixed", mixed),
        ):
            rerun = PRINTED if strategy == "MODEL2VEC" else strategy
            ours = results.interval(
                "selection_strategies", "increase", "{:+.1f}%", factor=100,
                meta_task=meta_task, overlap=True, strategy=rerun,
            )  # fmt: skip
            what = f"error over the best: {strategy}, {theirs}"
            rows.append(("Table 2", what, f"{value:+.2f}%", ours))
    return rows
