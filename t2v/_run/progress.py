"""Progress bars: on stderr, only on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

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
    shown = Progress(
        TextColumn("{task.description}", markup=False),  # a name is neither markup nor emoji
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
        disable=not seen,
    )
    with shown:
        yield from shown.track(items, total=total, description=one_line(what))
