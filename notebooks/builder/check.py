"""Checks on built HTML: no remote resources, alt texts, no unrendered directives, light pages."""

from __future__ import annotations

import gzip
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
RAW = re.compile(r"(?:```|:::)\{[\w:-]+\}")  # backticks in its first line keep it from being read
INLINE_IMAGE = re.compile(r"data:image/[\w+.-]+;base64,[A-Za-z0-9+/=]+")
HEAVIEST = 1_500_000  # bytes of a page as sent, compressed, without its images
SENTENCE = re.compile(r"\W*[A-Z0-9].{20,}[.!?]\W*", re.DOTALL)


class _Page(HTMLParser):
    """The addresses that a page loads, and its images with their alternative texts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.images: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in LOADS and values.get(LOADS[tag]):
            self.loads.append(values[LOADS[tag]])
        # icons and styles are loaded; links to other pages (canonical, next, search) are not
        if tag == "link" and set(values.get("rel", "").split()) & {"stylesheet", "icon", "preload"}:
            self.loads.append(values.get("href", ""))
        if tag == "img":
            self.images.append((values.get("src", ""), values.get("alt", "")))


def faults(html: Path) -> list[str]:
    """The faults of all pages below a folder, which Sphinx does not report.

    Returns:
        One line for each remote or missing file that a page loads, for each figure whose
        alternative text is not at least one whole sentence, for each page that shows the source of
        a directive, and for each page that is heavier than `HEAVIEST`.
    """
    problems = []
    for path in sorted(html.rglob("*.html")):
        where = path.relative_to(html)
        if where.parts[0] in ("_static", "_modules"):
            continue
        page = _Page()
        text = path.read_text(encoding="utf-8")
        page.feed(text)
        if RAW.search(text):
            problems.append(f"{where} shows the source of a directive: {RAW.search(text)[0]}")
        loaded = {path.parent / a.split("?")[0] for a in page.loads if not a.startswith("data:")}
        code = [file for file in loaded if file.suffix in (".js", ".css", ".woff2")]
        weight = len(gzip.compress(INLINE_IMAGE.sub("", text).encode()))
        weight += sum(_compressed(file.resolve()) for file in code if file.exists())
        if weight > HEAVIEST:
            problems.append(f"{where} loads {weight / 1e6:.2f} MB besides its images")
        for address in page.loads:
            if REMOTE.match(address):
                problems.append(f"{where} loads {address}")
            elif not address.startswith(("data:", "#")):
                target = path.parent / address.split("?")[0].split("#")[0]
                if not target.exists():
                    problems.append(f"{where} loads {address}, which does not exist")
        for source, alt in page.images:
            if "_images/" in source and not SENTENCE.fullmatch(alt):
                problems.append(
                    f"{where}: {Path(source).name} has no sentence as alt text: {alt!r}"
                )
    return problems


@cache
def _compressed(file: Path) -> int:
    return len(gzip.compress(file.read_bytes()))
