"""The cache: versions from the import graph, results that do not depend on it, killed runs."""

import hashlib
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import t2v
from t2v._run import cache

CALLS = []


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    CALLS.clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Modules in a folder that is searched as part of t2v; forgets what was read of them before."""
    folder = tmp_path / "modules"
    folder.mkdir()
    path = [*t2v.__path__, str(folder)]
    monkeypatch.setattr(t2v, "__path__", path)
    monkeypatch.setattr(t2v.__spec__, "submodule_search_locations", path)

    def write(**sources):
        for name, source in sources.items():
            path = folder / (name.replace("__", "/", 1) + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        forget()
        importlib.invalidate_caches()

    yield write
    forget()


def forget():
    cache.code_version.cache_clear()
    cache._modules_in.cache_clear()
    sys.modules.pop("t2v.room", None)  # looking for a module imports the package that it is in


CHAIN = {
    "one": "from t2v.two import f\n",
    "two": "def f():\n    from t2v import three\n",
    "three": "import t2v.four\nfrom t2v.room import five\n",
    "four": "import numpy\nfrom t2v.one import g  # a circle must not hang\n",
    "room____init__": "",
    "room__five": "from t2v.errors import InputError\nfrom t2v._run.cache import folder\n",
    "unrelated": "from t2v.one import f\n",
}


@pytest.mark.parametrize("changed", ["one", "two", "three", "four", "room__five"])
def test_version_changes_with_every_module_that_is_imported_directly_or_not(package, changed):
    package(**CHAIN)
    before = cache.code_version("t2v.one")
    assert cache.code_version("t2v.one") == before
    package(**{changed: CHAIN[changed] + "x = 1\n"})
    assert cache.code_version("t2v.one") != before
    package(**CHAIN)
    assert cache.code_version("t2v.one") == before


def test_version_does_not_change_with_other_modules(package):
    package(**CHAIN)
    before = cache.code_version("t2v.one")
    assert cache.code_version("t2v.unrelated") != before
    package(unrelated="x = 1\n", another="x = 2\n")
    assert cache.code_version("t2v.one") == before


def test_version_is_a_hash_of_names_and_sources(package):
    package(**CHAIN)
    names = {"one": "t2v.one", "two": "t2v.two", "three": "t2v.three", "four": "t2v.four"}
    names |= {"room____init__": "t2v.room", "room__five": "t2v.room.five"}
    text = "".join(
        f"{name}\n{CHAIN[key]}\n" for key, name in sorted(names.items(), key=lambda i: i[1])
    )
    assert cache.code_version("t2v.one") == hashlib.sha256(text.encode()).hexdigest()


LOADED = """
import sys
import {module}
print(*(name for name, module in sys.modules.items()
        if name.startswith("t2v.") and not hasattr(module, "__path__")))
"""


@pytest.mark.parametrize("module", ["t2v.experts.error_matrix", "t2v.many_tasks"])
def test_everything_that_python_loads_is_in_the_version(module):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True
    )
    loaded = {n for n in done.stdout.split() if not n.startswith(("t2v._run.", "t2v.errors"))}
    assert module in loaded and "t2v._numerics.newton_logistic" in loaded
    assert loaded <= set(cache._sources(module))
    assert "t2v.images" in cache._sources(module)  # task.py imports it inside a function


def test_a_module_that_does_not_exist_is_an_error(package):
    with pytest.raises(ModuleNotFoundError, match="t2v.nowhere"):
        cache.code_version("t2v.nowhere")
    package(one="from t2v.gone import f\n")
    with pytest.raises(ModuleNotFoundError, match="t2v.gone"):
        cache.code_version("t2v.one")
    for source in ("from t2v import Task\n", "import t2v\n"):
        package(one=source)
        with pytest.raises(ImportError, match="t2v.one: import a module of t2v"):
            cache.code_version("t2v.one")
    package(one="from . import two\n")
    with pytest.raises(ImportError, match="relative import"):
        cache.code_version("t2v.one")


def test_keys_are_of_content_and_code(monkeypatch):
    key = cache.content_key("t2v.errors", 1, "a")
    assert key == cache.content_key("t2v.errors", 1, "a")
    assert key != cache.content_key("t2v.errors", 1, "b") != cache.content_key("t2v.head", 1, "b")
    assert len(key) == 64
    monkeypatch.setattr(cache, "code_version", lambda module: "other")
    assert key != cache.content_key("t2v.errors", 1, "a")


def _power(key, base, exponent=2):
    CALLS.append(base)
    return base**exponent


def _doubled(key, value):
    CALLS.append(value)
    return [2 * v for v in value]


def _powers(bases, **options):
    keys = [("power", base) for base in bases]
    options = {"jobs": 1, "what": "powers", **options}
    return cache.cached_map(_power, keys, [(base,) for base in bases], **options)


def test_results_are_those_of_the_function_from_a_cold_or_a_warm_cache():
    cold = _powers([3, 1, 2])
    assert cold == [9, 1, 4] and CALLS == [3, 1, 2]
    assert _powers([1, 2, 3]) == [1, 4, 9] and CALLS == [3, 1, 2]
    assert _powers([2, 5, 1]) == [4, 25, 1] and CALLS == [3, 1, 2, 5]
    first = cache.cached_call(_doubled, ("a",), [1, 2])
    assert first == cache.cached_call(_doubled, ("a",), [1, 2]) == [2, 4]
    assert CALLS == [3, 1, 2, 5, [1, 2]]


def test_another_version_of_the_code_is_computed_again(monkeypatch):
    _powers([1, 2])
    monkeypatch.setattr(cache, "code_version", lambda module: "other")
    assert _powers([1, 2]) == [1, 4] and CALLS == [1, 2, 1, 2]


def test_the_most_expensive_item_is_first_and_results_keep_their_order():
    bases = [2, 9, 4, 7]
    assert _powers(bases, cost=lambda i: bases[i]) == [4, 81, 16, 49]
    assert CALLS == [9, 7, 4, 2]


def test_further_arguments_are_made_for_missing_items_only():
    asked = []

    def prepare(missing):
        asked.append(sorted(missing))
        return [(3,) for _ in missing]

    assert _powers([2, 4], prepare=prepare) == [8, 64]
    assert _powers([2, 4, 5], prepare=prepare) == [8, 64, 125]
    assert asked == [[0, 1], [2]]


WORK = """
import os, signal, sys
from pathlib import Path
from t2v._run.cache import cached_map

def slow_square(key, x, log):
    with open(log, "a") as file:
        file.write(f"{x} ")
    if x == 3 and "--kill" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return x**2

if __name__ == "__main__":
    import work
    keys = [(x,) for x in range(5)]
    items = [(x, sys.argv[1]) for x in range(5)]
    print(cached_map(work.slow_square, keys, items, jobs=1, what="squares"))
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    log = tmp_path / "log"
    path = os.pathsep.join([str(tmp_path), str(Path(t2v.__file__).parents[1])])
    command = [sys.executable, str(tmp_path / "work.py"), str(log)]
    options = {"env": os.environ | {"PYTHONPATH": path}, "capture_output": True, "text": True}
    killed = subprocess.run([*command, "--kill"], **options)
    assert killed.returncode == -signal.SIGKILL and log.read_text() == "0 1 2 3 "
    resumed = subprocess.run(command, **options)
    assert resumed.stdout.strip() == "[0, 1, 4, 9, 16]", resumed.stderr
    assert log.read_text() == "0 1 2 3 3 4 "
