"""Progress bars: on stderr, only on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from t2v._run.names import one_line


def bar(items: Iterable[Any], what: str, total: int, progress: bool) -> Iterator[Any]:
    """The items, under a progress bar.

    Args:
        items: anything to iterate over.
        what: text beside the bar.
        total: number of items.
        progress: show the bar where somebody sees it.
    """
    console = Console(stderr=True)
    seen = progress and (console.is_terminal or console.is_jupyter)
    what = escape(one_line(what))
    shown = track(items, what, total=total, console=console, disable=not seen, transient=True)
    return iter(shown)
