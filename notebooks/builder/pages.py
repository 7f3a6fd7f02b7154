"""Lay the pages beside the executed chapters, build the book strictly, show it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from builder.chapters import (
    BuildError,
    Run,
    chapters,
    content_hash,
    files_below,
    stamp_of,
    toc_pages,
    write_whole,
)
from builder.check import faults
from t2v._run.files import replacing
from t2v.libraries import PHOTOGRAPHS


def lay(run: Run) -> None:
    """Puts pages and settings beside the chapters, at the paths they have in the repository."""
    run.out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(run.out / "book", ignore_errors=True)
    shutil.copytree(run.root / "book", run.out / "book")
    shutil.copy(run.root / "_toc.yml", run.out / "_toc.yml")
    config = yaml.safe_load((run.root / "_config.yml").read_text())
    config = with_address(config, repository_address(run.root))
    write_whole(run.out / "_config.yml", yaml.safe_dump(config, sort_keys=False))
    fresh = run.root / "_build" / f"real-{run.scale}"
    if run.library != "real" and photographs(run.root) and (fresh / "results").is_dir():
        # over the kept tables: a run of a few chapters does not hide those of the others
        target = run.out / "book" / "results" / fresh.name
        shutil.copytree(fresh / "results", target, dirs_exist_ok=True)
    if any("plotly.min.js" in path.read_text() for path in chapters(run.root)):
        import plotly

        script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        shutil.copy(script, run.out / "book" / "_static" / "plotly.min.js")


def repository_address(root: Path) -> str | None:
    """Where the project is hosted: T2V_REPOSITORY, GitHub's own variables, or git's `origin`.

    Only addresses for which the theme knows how to make links (GitHub, GitLab) are returned.
    """
    address = os.environ.get("T2V_REPOSITORY", "")
    if not address and os.environ.get("GITHUB_REPOSITORY"):
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        address = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    if not address and shutil.which("git"):
        told = subprocess.run(
            ["git", "-C", root, "remote", "get-url", "origin"], capture_output=True, text=True
        )
        address = told.stdout.strip()
    found = re.fullmatch(
        r"(?:https://|git@)(?:[^@/]+@)?(github\.com|gitlab\.com)[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?",
        address,
    )
    return f"https://{found[1]}/{found[2]}" if found else None


def with_address(config: dict, address: str | None) -> dict:
    """Settings with edit links and launch buttons for a known address, without them otherwise."""
    config = {k: v for k, v in config.items() if k not in ("repository", "launch_buttons")}
    html = {**config.get("html", {})}
    known = address is not None
    html.update({f"use_{what}_button": known for what in ("repository", "edit_page", "issues")})
    config["html"] = html
    if known:
        branch = os.environ.get("T2V_BRANCH") or os.environ.get("GITHUB_REF_NAME") or "main"
        config["repository"] = {"url": address, "path_to_book": "", "branch": branch}
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
        }
        if "github.com" in address:
            config["launch_buttons"]["colab_url"] = "https://colab.research.google.com"
    return config


def build_html(run: Run) -> None:
    """Builds the pages strictly, all of them: glued numbers are no dependency Sphinx knows of.

    Raises:
        BuildError: with every warning of the build, and every fault that `check` finds.
    """
    laid = ("book", "notebooks", "results", "_config.yml", "_toc.yml")
    pages = [*files_below(run.root / "t2v"), *files_below(*(run.out / name for name in laid))]
    extensions = run.out / "book" / "_ext"
    key = content_hash(run.root, pages, sys.version)
    stamp = run.out / ".stamps" / "html"
    html = run.out / "html"
    if stamp.exists() and stamp.read_text() == key and (html / "index.html").exists():
        print("book: unchanged", flush=True)
        return
    print(f"book: {len(toc_pages(run.root))} pages ...", flush=True)
    started = time.time()
    log = run.out / "sphinx.log"
    # where `t2v` and `typography` lie, however far from here the pages are built
    modules = os.pathsep.join(map(str, (run.root, extensions)))
    with log.open("w") as sink:
        done = subprocess.run(
            [Path(sys.executable).with_name("jupyter-book"), "build", run.out, "--path-output",
             run.out / ".sphinx", "--all", "-W", "-n", "--keep-going"],
            stdout=sink, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": modules, "NO_COLOR": "1"},
        )  # fmt: skip
    if done.returncode:
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())
        told = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL|Error:).*$", text, re.MULTILINE)
        told = told or text.splitlines()[-30:]
        raise BuildError(
            "the book does not build without warnings:\n  "
            + "\n  ".join(dict.fromkeys(line.replace(f"{run.out}/", "") for line in told))
            + f"\nall of it: {log.relative_to(run.root)}"
        )
    if found := faults(run.out / ".sphinx" / "_build" / "html"):
        raise BuildError("the pages are not for everybody:\n  " + "\n  ".join(found))
    shutil.rmtree(html, ignore_errors=True)
    os.replace(run.out / ".sphinx" / "_build" / "html", html)
    shutil.rmtree(run.out / ".sphinx")
    write_whole(stamp, key)
    print(f"book: {time.time() - started:.0f} s", flush=True)


def serve(run: Run, port: int) -> int:
    """Shows the built book on the loopback interface until interrupted.

    Raises:
        BuildError: if it has not been built.
    """
    html = run.out / "html"
    if not (html / "index.html").exists():
        raise BuildError(f"{html.relative_to(run.root)} is not there yet: make book first")
    server = ThreadingHTTPServer(
        ("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(html))
    )
    print(f"http://127.0.0.1:{server.server_port}/   (Ctrl+C ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


def photographs(root: Path) -> list[str]:
    """The sets of photographs that are on disk."""
    return [name for name in PHOTOGRAPHS if (root / "data" / name / "index.csv").exists()]


def fetch(root: Path, mirror: Path) -> None:
    """Takes photographs and weights from a mirror into `data/`, those that are not there yet.

    Raises:
        BuildError: if the folder has no archives, or a set cannot be fetched.
    """
    if not (mirror / "archives").is_dir():
        raise BuildError(f"DATA={mirror}: a folder with archives/ (and weights/) is needed")
    missing = [name for name in PHOTOGRAPHS if name not in photographs(root)]
    command = [sys.executable, "-m", "data_scripts.fetch", *missing, "--to", root / "data"]
    command += ["--mirror", (mirror / "archives").resolve()]
    if missing and subprocess.run(command, cwd=root).returncode:
        raise BuildError(f"photographs could not be fetched from {mirror}: see above")
    for path in sorted((mirror / "weights").glob("*")):
        kept = root / "data" / "weights" / path.name
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing(kept) as draft:
                shutil.copyfile(path, draft)


def keep(run: Run, chapter: Path) -> Path:
    """Keeps a chapter's tables under `book/results`, in place of those that it made before.

    The sidecars are those of the chapter, with what only the builder knows: the command, which
    chapter, and how long that took. Tables of chapters that are no longer in the book are removed.

    Raises:
        BuildError: if a table has no sidecar.
    """
    target = kept_at(run)
    stamp, kept = stamp_of(run, chapter.stem), {}
    for name in stamp["made"]:
        table = run.out / name
        if table.suffix != ".csv":
            continue
        if not table.with_suffix(".json").exists():
            raise BuildError(f"{name} of {chapter.stem} has no sidecar: see t2v.book.tables.write")
        note = json.loads(table.with_suffix(".json").read_text())
        note["command"] = command_of(run)
        note["chapter"] = str(chapter.relative_to(run.root))
        note["seconds"] = note.get("seconds") or stamp["seconds"]
        note["seed"] = run.seed if note.get("seed") is None else note["seed"]
        kept[table.name] = table.read_text()
        kept[table.with_suffix(".json").name] = json.dumps(note, indent=1, ensure_ascii=False)
    target.mkdir(parents=True, exist_ok=True)
    others = {str(path.relative_to(run.root)) for path in chapters(run.root) if path != chapter}
    for sidecar in target.glob("*.json"):
        maker = json.loads(sidecar.read_text()).get("chapter")
        if maker is not None and maker not in others:  # tables without one: of data_scripts
            sidecar.unlink()
            sidecar.with_suffix(".csv").unlink(missing_ok=True)
    for name, text in kept.items():
        write_whole(target / name, text if text.endswith("\n") else text + "\n")
    return target


def kept_at(run: Run) -> Path:
    """The folder of the kept tables of a run."""
    device = "" if run.device in ("auto", "cpu") else f"-{run.device}"
    return run.root / "book" / "results" / f"{run.name}{device}"


def command_of(run: Run) -> str:
    """The command that keeps these tables again."""
    options = {"LIBRARY": run.library, "SCALE": run.scale}
    options |= {"SEED": run.seed} if run.seed else {}
    options |= {"DEVICE": run.device} if run.device != "auto" else {}
    return " ".join(["make results", *(f"{name}={value}" for name, value in options.items())])
