"""Progress bars: on stderr, only on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress


def bar(items: Iterable[Any], what: str, total: int, progress: bool) -> Iterator[Any]:
    """The items, under a progress bar.

    Args:
        items: anything to iterate over.
        what: text beside the bar.
        total: number of items.
        progress: show the bar where somebody sees it.
    """
    with progress_bar(what, total, progress) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress_bar(
    what: str, total: int, progress: bool, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """A progress bar around a block; yields the function that moves it on by some steps.

    Args:
        what: text beside the bar.
        total: number of steps.
        progress: show the bar where somebody sees it.
        done: steps done before.
    """
    console = Console(stderr=True)
    seen = progress and (console.is_terminal or console.is_jupyter)
    with Progress(console=console, disable=not seen, transient=True) as shown:
        task = shown.add_task(what, total=total, completed=done)
        yield lambda steps: shown.advance(task, steps)
