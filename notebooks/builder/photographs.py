"""Text, strips of images and tables of the page of credits, made from the package's manifests."""

from __future__ import annotations

from builder.chapters import Run
from t2v.book import photographs_page


def write_photographs(run: Run) -> None:
    """Write what `book/photographs.md` includes to `results`."""
    photographs_page.write(
        run.out / "results",
        command="make book",
        library="open",
        scale=run.scale,
    )
