"""Run the chapters and build the book: what `make book` calls.

Everything is made in `_build/<library>-<scale>/`, which has the layout of the repository:
`notebooks/` (executed), `results/` (the tables the chapters write), `book/`, `html/`.
A chapter is run again when its notebook, `t2v`, its parameters, the installed packages or its data
have changed, by content; a build that failed or was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from builder.chapters import ROOT, BuildError, Run, run_chapters
from builder.data import fetch, photographs
from builder.paper_numbers import write_paper_numbers
from builder.photographs import write_photographs
from builder.results import keep, kept_at
from builder.scorecard import write_scorecard
from builder.site import build_html, lay, serve

from t2v.errors import FileError
from t2v.libraries import PHOTOGRAPHS
from t2v.libraries.paper.load import on_disk

OTHER_NAMES = {"auto": "open", "worlds": "synthetic"}


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line, builds, returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    libraries = "open (the default, auto), worlds, real, paper, or one library"
    parser.add_argument("--library", default="auto", help=libraries)
    parser.add_argument("--scale", default="laptop", choices=["smoke", "laptop", "paper"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    mirror = "folder with archives/ and weights/; for paper, of the paper's data sets"
    parser.add_argument("--mirror", type=Path, help=mirror)
    parser.add_argument("--keep", action="store_true", help="keep tables; build no pages")
    parser.add_argument("--chapters", nargs="+", default=[], help="only these, with --keep")
    parser.add_argument("--serve", type=int, metavar="PORT", help="show the built book")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    root = given.root.resolve()
    wanted = OTHER_NAMES.get(given.library, given.library)
    place = given.mirror if wanted == "paper" else None
    run = Run(wanted, given.scale, given.seed, given.device, root, place)
    try:
        if given.serve is not None:
            return serve(run, given.serve)
        prepare_environment(root, None if wanted == "paper" else given.mirror)
        if wanted == "paper":
            on_disk(run.data)
        lacking = [name for name in PHOTOGRAPHS if name not in photographs(root)]
        if run.library == "real" and lacking:
            raise BuildError(
                f"no photographs of {', '.join(lacking)} below data/: give DATA=<folder with "
                "archives/ and weights/>, or run python -m data_scripts.fetch NAME --to data"
            )
        if given.chapters and not given.keep:
            raise BuildError("CHAPTERS is for make results: a book needs all of them")
        if given.keep and given.library == "auto":
            raise BuildError("which tables are to be kept? LIBRARY=open, worlds or real")
        lay(run)
        if given.keep:
            run_chapters(run, given.chapters, after=lambda chapter: keep(run, chapter))
            print(f"tables kept in {kept_at(run).relative_to(root)}")
            return 0
        run_chapters(run)
        write_paper_numbers(run)
        write_scorecard(run)
        write_photographs(run)
        build_html(run)
        print(f"the book: {run.out / 'html' / 'index.html'}   (make serve shows it)")
    except (BuildError, FileError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


def prepare_environment(root: Path, mirror: Path | None) -> None:
    """Fetches what is asked for, and sets what the kernels of the chapters are to see."""
    if mirror is not None:
        fetch(root, mirror)
    if (root / "data" / "weights").is_dir():
        os.environ.setdefault("T2V_WEIGHTS", str(root / "data" / "weights"))
    os.environ.setdefault("T2V_DATA", str(root / "data"))
    os.environ.setdefault("T2V_CACHE", str(root / ".cache" / "t2v"))
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    # the kernel of this environment, whatever kernels the user has installed elsewhere
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"


if __name__ == "__main__":
    sys.exit(main())
