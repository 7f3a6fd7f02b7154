"""Which claims of the paper hold: verdicts computed from tables, for pages and their prose.

A claim holds on one kind of images if the 95% interval of its number lies on the claimed side of
its bound, does not hold if it lies on the other side, and cannot be told between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from t2v.book import tables
from t2v.book.scorecard.claims import CLAIMS, Claim
from t2v.book.scorecard.measures import Finding, NotRun, Tables
from t2v.errors import InputError

HOLDS, FAILS, OPEN, NOT_RUN = "holds", "does not hold", "cannot be told", "not run yet"
NOTHING = "–"


class Source(NamedTuple):
    """Where measured numbers come from."""

    folder: str
    """Folder of the tables, below `book`."""
    title: str
    """Heading of its column, with the sign of its kind of number."""
    brief: str
    """Its name within a sentence."""


SOURCES = {
    "open": Source("results/open-laptop", "● photographs, open library", "open library"),
    "five": Source("results/real-laptop", "● photographs, five sets", "five sets of photographs"),
    "worlds": Source("results/synthetic-laptop", "■ worlds not developed on", "worlds"),
}


@dataclass(frozen=True)
class Verdict:
    """What the tables say of a claim.

    Attributes:
        word: `HOLDS`, `FAILS`, `OPEN` or `NOT_RUN`.
        interval: number with its interval and unit, or why there is none.
    """

    word: str
    interval: str


class Scorecard:
    """Verdicts on the claims, from the tables of a book.

    Args:
        book: folder of the pages, with `paper/` and `results/`.
        results: folder of the tables of the running build; `None`: there is none.
    """

    def __init__(self, book: str | Path, results: str | Path | None = None) -> None:
        book = Path(book)
        self._paper = Tables(book / "paper")
        self._tables = {name: Tables(book / source.folder) for name, source in SOURCES.items()}
        if results is not None:
            self._tables["run"] = Tables(Path(results))

    def verdict(self, source: str, key: str) -> Verdict:
        """What one source says of a claim.

        Args:
            source: a name in `SOURCES`; "run" for the tables of the running build, "paper" for the
                paper's own tables.
            key: key of the claim.

        Raises:
            InputError: for an unknown source or claim.
            FileError: if a table was changed by hand.
        """
        claim = _claim(key)
        if source not in (*SOURCES, "run", "paper"):
            raise InputError(f"source {source!r}: one of {', '.join(SOURCES)}, run, paper")
        try:
            finding = self._finding(source, claim)
        except NotRun as reason:
            return Verdict(NOT_RUN, str(reason))
        return Verdict(_judged(finding, claim.below), _interval(finding, claim.form))

    def overall(self, key: str) -> str:
        """The verdict of all sources that have measured a claim, or what each of them says."""
        found = {
            name: verdict.word
            for name in self._sources_of(_claim(key))
            if (verdict := self.verdict(name, key)).word != NOT_RUN
        }
        words = list(dict.fromkeys(found.values()))
        if len(words) < 2:
            return words[0] if words else NOT_RUN
        return "; ".join(f"{SOURCES[name].brief}: {word}" for name, word in found.items())

    def frame(self) -> pd.DataFrame:
        """One row per claim: paper, each source in which anything was measured, and the verdict."""
        rows = []
        for key, claim in CLAIMS.items():
            row = {"paper's": claim.where or NOTHING, "claim": claim.says, "◆ paper": self._of(key)}
            row |= {source.title: self._cell(name, claim) for name, source in SOURCES.items()}
            rows.append(row | {"verdict": self.overall(key)})
        frame = pd.DataFrame(rows)
        nothing = frame.isin([NOTHING, NOT_RUN]).all()
        return frame.loc[:, ~nothing]

    def short(self) -> pd.DataFrame:
        """The claims of the front page in words, with their verdicts."""
        rows = [(c.short, self.overall(key)) for key, c in CLAIMS.items() if c.short]
        return pd.DataFrame(rows, columns=["claim of the paper", "here"])

    def _finding(self, source: str, claim: Claim) -> Finding:
        measure = claim.worlds if source == "worlds" else claim.chapter
        if source == "paper":
            found = claim.paper and claim.paper(self._paper)
            if isinstance(found, Finding):
                return found
            raise NotRun("the paper prints no interval")
        if measure is None:
            raise NotRun("not measured")
        if source not in self._tables:
            raise NotRun("no tables of this build")
        finding = measure(self._tables[source])
        if claim.share:
            assert claim.paper is not None
            part = claim.share * claim.paper(self._paper)  # type: ignore[operator]
            finding = replace(finding, bound=finding.bound + part)
        return finding

    def _sources_of(self, claim: Claim) -> list[str]:
        """The sources that count for a claim."""
        if claim.rerun:
            return ["run"]
        if claim.chapter is None and claim.worlds is None:
            return ["paper"]
        return list(SOURCES)

    def _of(self, key: str) -> str:
        """The paper's number as text."""
        claim = CLAIMS[key]
        try:
            found = None if claim.paper is None else claim.paper(self._paper)
        except NotRun:
            return NOT_RUN
        if isinstance(found, Finding):
            return _interval(found, claim.form)
        return NOTHING if found is None else _number(found, claim.form)

    def _cell(self, source: str, claim: Claim) -> str:
        """The text of one measured number, with its verdict where the sources may differ."""
        if claim.rerun:
            if source != "worlds":
                return NOTHING
            found = self.verdict("run", claim.key)
            return NOT_RUN if found.word == NOT_RUN else f"{found.interval} (this run)"
        if (claim.worlds if source == "worlds" else claim.chapter) is None:
            return NOTHING
        found = self.verdict(source, claim.key)
        return NOT_RUN if found.word == NOT_RUN else f"{found.interval}: {found.word}"


def write(book: str | Path, results: str | Path, **note: object) -> None:
    """Write `scorecard.csv` and `scorecard_short.csv`, which the pages include.

    Args:
        book: folder of the pages, with `paper/` and `results/`.
        results: folder of the tables of the running build; both are written there.
        **note: facts for the sidecars, such as `seed`.
    """
    scorecard = Scorecard(book, results)
    meanings: Mapping[str, str] = {
        "paper's": "figure or table of the paper; a dash: the paper does not make this claim",
        "claim": "claim that the number must bear out",
        "verdict": "verdict of all sources that measured it, or of each where they differ",
        "claim of the paper": "claim in words",
        "here": "verdict of all sources that measured it, or of each where they differ",
        "◆ paper": "number printed, or computed from what the paper prints",
    }
    for name, frame in (("scorecard", scorecard.frame()), ("scorecard_short", scorecard.short())):
        measured = "number [95% interval]: verdict of this source"
        tables.write(
            frame,
            Path(results) / f"{name}.csv",
            limits="Other tasks and experts than the paper's; each interval is for itself.",
            columns={c: {"unit": "", "meaning": meanings.get(c, measured)} for c in frame},
            **note,  # type: ignore[arg-type]
        )


def _claim(key: str) -> Claim:
    if key not in CLAIMS:
        raise InputError(f"claim {key!r}: one of {', '.join(CLAIMS)}")
    return CLAIMS[key]


def _judged(finding: Finding, below: bool) -> str:
    sign = 1 if below else -1
    ends = sorted(sign * (end - finding.bound) for end in finding.estimate[1:])
    return HOLDS if ends[1] < 0 else FAILS if ends[0] >= 0 else OPEN


def _number(value: float, form: str) -> str:
    number, _, unit = form.partition("}")
    text = (number + "}").format(value)
    if float(text) == 0:
        text = text.replace("-", "")
    return text.replace("-", "\N{MINUS SIGN}") + unit


def _interval(finding: Finding, form: str) -> str:
    """`−0.4 [−1.7, +0.8] points`."""
    form = finding.form or form
    number, _, unit = form.partition("}")
    value, low, high = (_number(v, number + "}") for v in finding.estimate)
    return f"{value} [{low}, {high}]{unit}"
