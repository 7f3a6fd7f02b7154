"""Imports go one way (contracts in pyproject.toml), and torch is loaded only when needed."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
import numpy, t2v
from t2v import distances, evaluation, selection, transferability
print(t2v.distance_matrix(numpy.eye(3)).tolist())
"""


def test_all_modules_keep_the_contracts():
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_teachers_modules_run_where_torch_is_not_installed():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True)
    assert done.stdout.strip() == "[[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]", done.stderr
