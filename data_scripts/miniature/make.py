"""Make miniatures of the paper's data sets: `python -m data_scripts.miniature.make --to DIR`.

Each has a few classes of drawn images in exactly its publisher's layout, with the oddities of the
real files. They say in `miniature.json` what is to be found in them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from data_scripts.miniature.drawing import SIDE
from data_scripts.miniature.fashion import write_deepfashion, write_imaterialist
from data_scripts.miniature.living import write_cub, write_inaturalist
from t2v._run.files import adding_folder
from t2v.libraries.paper.counts import MINIATURE


def make(to: Path, size: float = 1.0) -> None:
    """Write the four miniatures below a folder, each whole or not at all.

    Args:
        to: folder of all data sets; one that is there already is replaced only if it is a
            miniature.
        size: factor of the number of images.
    """

    def of(count: int) -> int:
        return max(2, round(size * count))

    writers = {
        "inaturalist": lambda folder: write_inaturalist(folder, of(12), 3),
        "cub200": lambda folder: write_cub(folder, of(12), of(8)),
        "imaterialist": lambda folder: write_imaterialist(folder, of(240), of(120)),
        "deepfashion": lambda folder: write_deepfashion(folder, of(160), of(20), of(80)),
    }
    to.mkdir(parents=True, exist_ok=True)
    for name, write in writers.items():
        replaceable = (to / name / MINIATURE).exists()
        with adding_folder(to / name, replace=replaceable) as folder:
            about = {"pixels": SIDE, "counts": write(folder)}
            (folder / MINIATURE).write_text(json.dumps(about, indent=1), encoding="utf-8")


def main(
    to: Annotated[Path, typer.Option(help="folder of all data sets")] = Path("data-miniature"),
    size: Annotated[float, typer.Option(help="factor of the number of images")] = 1.0,
) -> None:
    """Draw the miniatures of the paper's four data sets."""
    make(to, size)
    print(f"{to}: {', '.join(path.name for path in sorted(to.iterdir()) if path.is_dir())}")


if __name__ == "__main__":
    typer.run(main)
