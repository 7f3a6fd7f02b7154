"""The table of the paper map: what the paper prints, and what the chapters of this run found.

Made after the chapters, from the tables that they wrote, so that it is never older than they are.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from builder.chapters import Run

PRINTED = {  # Table 2, iNat+CUB and Mixed, relative error increase in %
    "chance": ("+59.52%", "+112.49%"),
    "generic": ("+30.18%", "+75.73%"),
    "symmetric": ("+42.54%", "+40.30%"),
    "asymmetric": ("+9.97%", "+29.23%"),
    "MODEL2VEC": ("+6.81%", "+27.81%"),
}
TABLE_1 = "VGG-13 +38.03%, DenseNet-121 +10.63%, ResNet-34 +9.97%"
NOTHING = "–"


def write_paper_numbers(run: Run) -> None:
    """Writes `results/paper_numbers.csv`; what no chapter has found in this run is a dash."""
    from t2v.book import tables

    found = _Found(run.out / "results")
    ours = "● this run, photographs" if run.library == "real" else "■ this run, synthetic library"
    rows = [*_figures(found, run.library), *_tables(found)]
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
            "paper": {"unit": "", "meaning": "figure or table"},
            "what": {"unit": "", "meaning": "quantity"},
            "◆ the paper's": {
                "unit": "as given",
                "meaning": "printed, or computed from what its figures show (chapter 8)",
            },
            ours: {"unit": "as given", "meaning": "with 95% interval"},
        },
    )


class _Found:
    """Numbers of a run's tables, as text."""

    def __init__(self, results: Path) -> None:
        self.results = results
        paper = self.table("paper_figures")
        self.paper = {} if paper is None else dict(zip(paper.number, paper.value, strict=True))

    def table(self, name: str) -> pd.DataFrame | None:
        path = self.results / f"{name}.csv"
        return pd.read_csv(path) if path.exists() else None

    def row(self, name: str, **of: object) -> pd.Series | None:
        frame = self.table(name)
        for column, value in of.items() if frame is not None else ():
            frame = frame[frame[column] == value]
        return None if frame is None or frame.empty else frame.iloc[0]

    def interval(self, name: str, value: str, form: str, scale: float = 1, **of: object) -> str:
        row = self.row(name, **of)
        if row is None:
            return NOTHING
        ends = ", ".join(form.format(scale * row[end]) for end in ("low", "high"))
        return f"{form.format(scale * row[value])} [{ends}]"

    def of_paper(self, text: str) -> str:
        return text.format(**self.paper) if self.paper else NOTHING


def _figures(found: _Found, library: str) -> list[tuple[str, str, str, str]]:
    nature, garments = ("cub", "fashion") if library == "real" else ("phylogeny", "wardrobe")
    rows = []
    for embedding in ("task", "domain"):
        own = found.interval(
            "map_rates", "rate", "{:.0f}%", 100,
            question=f"{garments}: same group", embedding=embedding,
        )  # fmt: skip
        paper = found.of_paper(f"{{one-{embedding}-garments:.0f}}% on its map")
        what = f"garments whose nearest is of the same group, by {embedding} embedding"
        rows.append(("Fig. 1", what, paper, own))
    of_class = found.interval(
        "map_rates", "rate", "{:.0f}%", 100, question=f"{nature}: same group", embedding="task"
    )
    what = "living things whose nearest is of the same class"
    rows.append(("Fig. 2 left", what, found.of_paper("{two-left-share:.0f}%"), of_class))
    curve = found.row("taxonomic_curve", k=1)
    nearest = found.interval("taxonomic_curve", "mean", "{:.2f}", k=1)
    best = "" if curve is None else f" levels (best: {curve.best:.2f})"
    paper = found.of_paper("{two-centre-one:.2f} levels (best: {two-centre-best:.2f})")
    rows.append(("Fig. 2 centre", "taxonomic distance of the nearest", paper, nearest + best))
    for kind, within in (("living things", nature), ("garments", garments)):
        paper = "not drawn"
        if within == nature:
            paper = found.of_paper("{two-right-drawn:.2f} as drawn, {two-right-paired:.2f} paired")
        own = found.interval(
            "norm_correlations", "spearman", "{:+.2f}", within=within, against="error"
        )
        rows.append(("Fig. 2 right", f"rank correlation of norm and error, {kind}", paper, own))
    row = found.row("selection_strategies", meta_task="living", overlap=True, strategy="asymmetric")
    picked = NOTHING if row is None else f"{100 * row.optimal:.0f}%"
    what = "asymmetric picks that are the best expert, living things"
    rows.append(("Fig. 3", what, found.of_paper("{six-best-share:.0f}%"), picked))
    frame = found.table("figure_4_curves")
    for place, key in ((0, "fewest"), (-1, "most")):
        own = NOTHING
        if frame is not None:
            end = frame[frame.way == "Task2Vec fixed"].iloc[place]
            own = f"{end['mean']:+.0f}% [{end.low:.0f}, {end.high:.0f}], {end.images:.0f} images"
        paper = found.of_paper(f"{{four-pick-{key}:+.1f}}%, {{four-images-{key}:,.0f}} images")
        rows.append(("Fig. 4", f"pick over brute force, fixed, with the {key} images", paper, own))
    own = found.interval(
        "toy", "mean", "{:+.2f}", features="ReLU features", what="size and length of the boundary"
    )
    rows.append(("Fig. 5", "rank correlation of size and length of the boundary", "no number", own))
    row = found.row("matrix_gains", tasks="all", pool="all but its own")
    better = NOTHING if row is None else f"{row.better:.0f}%"
    what = "tasks on which some specialist beats the generic expert"
    rows.append(("Fig. 6", what, found.of_paper("{three-ahead-share:.0f}%"), better))
    return rows


def _tables(found: _Found) -> list[tuple[str, str, str, str]]:
    frame, own = found.table("choice_of_probe"), NOTHING
    if frame is not None:
        part = frame[frame["meta-task"] == "living"]
        own = ", ".join(
            f"{probe} {value.split(' ')[0]}%"
            for probe, value in zip(part.probe, part["all (%)"], strict=True)
        )
    rows = [("Table 1", "error over the best, by probe, iNat+CUB", TABLE_1, own or NOTHING)]
    for strategy, printed in PRINTED.items():
        plans = (("living", "iNat+CUB"), ("mixed", "Mixed"))
        for (plan, theirs), number in zip(plans, printed, strict=True):
            increase = found.interval(
                "selection_strategies", "increase", "{:+.1f}%", 100,
                meta_task=plan, overlap=True, strategy=strategy,
            )  # fmt: skip
            what = f"error over the best: {strategy}, {theirs}"
            rows.append(("Table 2", what, number, increase))
    return rows
