"""The site: pages laid out beside the executed chapters, built strictly, and shown."""

from __future__ import annotations

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
    content_hash,
    files_below,
    toc_pages,
    write_whole,
)
from builder.check import faults
from builder.data import photographs


def lay(run: Run) -> None:
    """Copy pages and settings to the build folder, at the paths they have in the repository."""
    run.out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(run.out / "book", ignore_errors=True)
    shutil.copytree(run.root / "book", run.out / "book")
    columns = run.root / "t2v" / "book" / "columns.csv"  # the data dictionary of data.md
    if columns.exists():
        shutil.copy(columns, run.out / "book" / columns.name)
    shutil.copy(run.root / "_toc.yml", run.out / "_toc.yml")
    config = yaml.safe_load((run.root / "_config.yml").read_text())
    config = with_address(config, repository_address(run.root))
    of_sphinx = config.setdefault("sphinx", {}).setdefault("config", {})
    of_sphinx["book_run"] = {"library": run.library, "scale": run.scale, "seed": run.seed}
    write_whole(run.out / "_config.yml", yaml.safe_dump(config, sort_keys=False))
    fresh = run.root / "_build" / f"real-{run.scale}"
    if run.library != "real" and photographs(run.root) and (fresh / "results").is_dir():
        # over the kept tables, so that a run of a few chapters does not hide those of the others
        target = run.out / "book" / "results" / fresh.name
        shutil.copytree(fresh / "results", target, dirs_exist_ok=True)


def repository_address(root: Path) -> str | None:
    """Address of the project's host: T2V_REPOSITORY, GitHub's own variables, or git's `origin`.

    Returns:
        An address on GitHub or GitLab, for which the theme knows how to make links; else `None`.
    """
    address = os.environ.get("T2V_REPOSITORY", "")
    if not address and os.environ.get("GITHUB_REPOSITORY"):
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        address = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    if not address and shutil.which("git"):
        origin = subprocess.run(
            ["git", "-C", root, "remote", "get-url", "origin"], capture_output=True, text=True
        )
        address = origin.stdout.strip()
    match = re.fullmatch(
        r"(?:https://|git@)(?:[^@/]+@)?(github\.com|gitlab\.com)[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?",
        address,
    )
    return f"https://{match[1]}/{match[2]}" if match else None


def with_address(config: dict, address: str | None) -> dict:
    """Settings with edit links and launch buttons if the address is known, else without."""
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
    """Build all pages strictly; Sphinx does not know that pages depend on glued numbers.

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
    # where `t2v` and the extensions lie, however far from here the pages are built
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
        lines = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL|Error:).*$", text, re.MULTILINE)
        lines = lines or text.splitlines()[-30:]
        raise BuildError(
            "the book does not build without warnings:\n  "
            + "\n  ".join(dict.fromkeys(line.replace(f"{run.out}/", "") for line in lines))
            + f"\nall of it: {log.relative_to(run.root)}"
        )
    if problems := faults(run.out / ".sphinx" / "_build" / "html"):
        raise BuildError("offline/accessibility check failed:\n  " + "\n  ".join(problems))
    shutil.rmtree(html, ignore_errors=True)
    os.replace(run.out / ".sphinx" / "_build" / "html", html)
    shutil.rmtree(run.out / ".sphinx")
    write_whole(stamp, key)
    print(f"book: {time.time() - started:.0f} s", flush=True)


def serve(run: Run, port: int) -> int:
    """Show the built book on the loopback interface until interrupted.

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
