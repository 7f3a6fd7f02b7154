"""Compare a wheel with the repository: `python .ci/check_wheel.py WHEEL`.

The exit status is 1 if a file of `t2v/` that git tracks is not in the wheel.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    listed = subprocess.run(
        ["git", "ls-files", "t2v"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packed = set(zipfile.ZipFile(sys.argv[1]).namelist())
    missing = sorted(set(listed.stdout.split()) - packed)
    print("\n".join(f"not in the wheel: {name}" for name in missing) or "the wheel is complete")
    sys.exit(1 if missing else 0)
