"""One place of the pins: requirements.lock. Everything else is derived from it or held to it."""

import importlib.metadata
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import t2v

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")


def pins(python: str, platform: str = "linux") -> dict[str, str]:
    """Name to version of what the lock installs for a version of Python."""
    where = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = {}
    for line in LOCK.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(where):
                [specifier] = requirement.specifier
                assert specifier.operator == "==", f"not an exact pin: {line}"
                assert requirement.name not in found, f"pinned twice for {python}: {line}"
                found[requirement.name.lower().replace("_", "-")] = specifier.version
    return found


def wanted(extra: str = "dev") -> list[Requirement]:
    """What `t2v[dev]`, which the lock is made for, asks for; extras inside extras included."""
    found = [Requirement(text) for text in PYPROJECT["dependencies"]] if extra == "dev" else []
    for requirement in map(Requirement, PYPROJECT["optional-dependencies"][extra]):
        if requirement.name == "t2v":
            for inner in sorted(requirement.extras):
                found += wanted(inner)
        else:
            found.append(requirement)
    return found


def test_older_pythons_are_refused():
    assert not SpecifierSet(PYPROJECT["requires-python"]).contains("3.9.9")


def test_no_file_of_the_set_up_names_a_package_host():
    # which index is used is the user's own configuration; the hook before a commit can be left out
    for name in ("Makefile", "environment.yml", "requirements.lock", ".ci/run", "pyproject.toml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url|--find-links|https?://(?!github\.com)", text)


@pytest.mark.parametrize("python", SUPPORTED)
def test_lock_has_every_dependency_in_the_range_that_is_asked_for(python):
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(python)
    locked = pins(python)
    for requirement in wanted():
        version = locked.get(requirement.name.lower())
        assert version, f"{requirement.name} is not in requirements.lock for Python {python}"
        assert requirement.specifier.contains(version), f"{requirement} but {version} is locked"


def test_what_is_installed_here_is_what_is_locked():
    locked = pins(f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform)
    differing = {}
    for requirement in wanted():
        name = requirement.name.lower()
        installed = importlib.metadata.version(name).split("+")[0]  # 2.12.1+cpu is 2.12.1
        if installed != locked[name]:
            differing[name] = (installed, locked[name])
    assert not differing, "run make setup: installed, locked"


def test_conda_environment_is_the_one_made_from_the_lock():
    made = runpy.run_path(str(ROOT / ".ci" / "environment.py"))["environment"](LOCK)
    assert (ROOT / "environment.yml").read_text() == made, "run python .ci/environment.py"


def test_conda_environment_has_each_pin_once_and_a_supported_python():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(d for d in conda["dependencies"] if str(d).startswith("python="))
    assert python.removeprefix("python=") in SUPPORTED
    [pip] = [d["pip"] for d in conda["dependencies"] if isinstance(d, dict)]
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    assert pip == [*lines, "-e ."]


def test_version_is_the_same_in_package_and_citation():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert t2v.__version__ == cited == importlib.metadata.version("t2v")


def test_changelog_describes_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[([\d.]+)\]", text, re.MULTILINE)
    assert versions[0] == t2v.__version__
    assert versions == sorted(versions, key=Version, reverse=True)
