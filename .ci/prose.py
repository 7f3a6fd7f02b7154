"""How the book reads, in counts: `python .ci/prose.py`, one row for each page.

Words of prose; of 10,000 words, how many are *we* or *us*, how many say *for example* or *such as*,
how many give a reason; numbers for 100 words of prose, glued ones included; characters of code that
a reader sees, as a share of prose and code. The last rows are of other books, which a reviewer of
this one counted once, with expressions of his own: take them as a direction, not as a target.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
OPENS = re.compile(r"^(`{3,}|~{3,}|:{3,})(?:\{([\w:-]+)\})?")
NO_PROSE = "csv-table list-table code-block image figure include toctree math bibliography".split()
MATHS = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
ROLE = re.compile(r"\{(\w[\w:]*)\}`([^`]*)`")
EXAMPLE = re.compile(r"\b(for example|for instance|such as|e\.g\.|say,)", re.I)
WE = re.compile(r"\b(we|us|let's)\b", re.I)
REASON = re.compile(r"\b(because|since|therefore|so that|hence|thus|that is why|so)\b", re.I)
NUMBER = re.compile(r"(?<![\w#])[-−+]?\d[\d,.]*%?")
UNSEEN = {"hide-input", "hide-cell", "remove-cell", "remove-input", "parameters"}
OTHERS = {
    "QuantEcon": (268, 50, 36),
    "UBC, Data Science": (172, 39, 29),
    "Dive into Deep Learning": (246, 39, 47),
}


def prose_of(text: str) -> str:
    """What is read: no code, tables or mathematics; a value glued in is a number."""
    kept, open_fences = [], []
    for line in text.split("\n"):
        fence = OPENS.match(line.strip())
        if open_fences and line.strip() and set(line.strip()) == {open_fences[-1][0][0]}:
            open_fences.pop()
        elif fence:
            name = fence[2] or ""
            reads = bool(name) and name not in NO_PROSE and not name.startswith("auto")
            open_fences.append((fence[1], reads))
        elif all(reads for _, reads in open_fences) and not re.match(r"\s*(:[\w-]+:|\|)", line):
            kept.append(line)
    text = MATHS.sub(" ", "\n".join(kept))
    text = ROLE.sub(lambda m: " 0 " if m[1] == "glue:text" else m[2].split("|")[-1], text)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", " ", text)


def counts(page: Path) -> dict[str, float]:
    """The row of one page."""
    seen = 0
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
        shown = (c for c in cells if c.cell_type == "code")
        seen = sum(len(c.source) for c in shown if not UNSEEN & set(c.metadata.get("tags", [])))
    else:
        text = page.read_text()
    text = prose_of(text)
    words = len(re.findall(r"[A-Za-z][\w'’-]*", text))
    rate = 10_000 / max(words, 1)
    return {
        "words": words,
        "we": len(WE.findall(text)) * rate,
        "examples": len(EXAMPLE.findall(text)) * rate,
        "reasons": len(REASON.findall(text)) * rate,
        "numbers per 100": len(NUMBER.findall(text)) * rate / 100,
        "code seen (%)": 100 * seen / max(seen + len(text), 1),
    }


def pages() -> list[Path]:
    """The pages in the order of the book."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    listed = [entry for part in parts for entry in part["chapters"]]
    names = [e["file"] for entry in listed for e in (entry, *entry.get("sections", []))]
    either = [(ROOT / f"{name}.md", ROOT / f"{name}.ipynb") for name in ("book/index", *names)]
    return [page for pair in either for page in pair if page.exists()]


def main() -> None:
    """Print the table."""
    frame = pd.DataFrame({page.stem: counts(page) for page in pages()}).T
    chapters = frame[frame.index.str.match(r"\d\d_")]
    weights = chapters.words / chapters.words.sum()
    total = chapters.mul(weights, axis=0).sum()
    frame.loc["all chapters"] = total.where(total.index != "words", chapters.words.sum())
    for name, (we, examples, reasons) in OTHERS.items():
        frame.loc[name] = {"we": we, "examples": examples, "reasons": reasons}
    print(frame.round(1).to_string(na_rep=""))


if __name__ == "__main__":
    main()
