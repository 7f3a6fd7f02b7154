"""The photographs and weights below `data/`: which are there, and how the others get there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from builder.chapters import BuildError
from t2v._run.files import replacing
from t2v.libraries import PHOTOGRAPHS


def photographs(root: Path) -> list[str]:
    """The data sets of photographs that are on disk."""
    return [name for name in PHOTOGRAPHS if (root / "data" / name / "index.csv").exists()]


def fetch(root: Path, mirror: Path) -> None:
    """Copy photographs and weights that are missing from a mirror into `data/`.

    Raises:
        BuildError: if the folder has no archives, or a data set cannot be fetched.
    """
    if not (mirror / "archives").is_dir():
        raise BuildError(f"DATA={mirror}: a folder with archives/ (and weights/) is needed")
    missing = [name for name in PHOTOGRAPHS if name not in photographs(root)]
    command = [sys.executable, "-m", "data_scripts.fetch", *missing, "--to", root / "data"]
    command += ["--mirror", (mirror / "archives").resolve()]
    if missing and subprocess.run(command, cwd=root).returncode:
        raise BuildError(f"photographs could not be fetched from {mirror}: see above")
    for source in sorted((mirror / "weights").glob("*")):
        target = root / "data" / "weights" / source.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as draft:
                shutil.copy(source, draft)
