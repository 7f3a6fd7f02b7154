"""Sphinx extension: words that follow the tables, and a banner where a build is not the published.

- ``{verdict}`source:claim|if it holds|if it does not|if it cannot be told` ``: the words that the
  table bears out; a fourth text is for a table that is not there. `{interval}` in them is the
  number with its interval.
- ``{guard}`source:claim holds|sentence` ``, and a directive of the same name with the sentences as
  its content: an error of the build, once the verdict is another than the stated one. The stated
  one is `holds`, `fails` or `open`; several conditions are separated by commas.

Sources and claims are those of `t2v.book.scorecard`. The prose is that of the published run; other
runs get a banner on each chapter, and their guards do not fail.
"""

from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from t2v.book.scorecard import FAILS, HOLDS, NOT_RUN, OPEN, Scorecard, Verdict
from t2v.errors import FileError, InputError

STATED = {"holds": HOLDS, "fails": FAILS, "open": OPEN}
logger = logging.getLogger(__name__)


@cache
def looked_up(folder: Path, name: str) -> Verdict:
    """What the tables of the book in a folder say of `source:claim`."""
    source, _, claim = name.partition(":")
    return Scorecard(folder / "book", folder / "results").verdict(source, claim)


def is_published(config: Any) -> bool:
    """Whether library, scale and seed are those of which the prose speaks."""
    run, published = config.book_run, config.book_published
    return not run or not published or run == published


def check(env: Any, conditions: str, location: Any) -> None:
    """Log an error for each condition that the tables do not bear out."""
    for condition in conditions.split(","):
        name, _, stated = condition.strip().partition(" ")
        expected = STATED.get(stated)
        message = f"guard: {condition.strip()!r} is not 'source:claim holds', 'fails' or 'open'"
        if expected is not None:
            try:
                found = looked_up(Path(env.srcdir), name)
            except (FileError, InputError) as error:
                message = f"guard: {error}"
            else:
                if found.word == expected or not is_published(env.config):
                    continue
                message = (
                    f"guard: {env.docname} states of {name}: {expected}; its table says: "
                    f"{found.word}, {found.interval}"
                )
        logger.error(message, location=location, type="verdict")


class VerdictRole(SphinxRole):
    """The words for what a table says of a claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes of the chosen words."""
        name, *words = self.text.split("|")
        if len(words) not in (3, 4):
            return self.failed(f"verdict: {self.text!r} has not three or four texts")
        try:
            found = looked_up(Path(self.env.srcdir), name)
        except (FileError, InputError) as error:
            return self.failed(f"verdict: {error}")
        words = dict(zip((HOLDS, FAILS, OPEN, NOT_RUN), [*words, NOT_RUN], strict=False))
        text = words[found.word].replace("{interval}", found.interval)
        return self.inliner.parse(text, self.lineno, self.inliner, self.inliner.parent)

    def failed(self, message: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Nothing, and an error of the build."""
        logger.error(message, location=self.get_location(), type="verdict")
        return [], []


class GuardRole(SphinxRole):
    """A sentence that the build refuses once the table no longer bears it out."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes of the sentence."""
        conditions, _, sentence = self.text.partition("|")
        check(self.env, conditions, self.get_location())
        return self.inliner.parse(sentence, self.lineno, self.inliner, self.inliner.parent)


class GuardDirective(SphinxDirective):
    """Sentences that the build refuses once the tables no longer bear them out."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The nodes of the content."""
        check(self.env, self.arguments[0], self.get_location())
        content = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, content)
        return content.children


def add_banner(app: Sphinx, document: nodes.document) -> None:
    """Put a note below the title of a chapter if the prose speaks of another run."""
    if is_published(app.config) or not app.env.docname.startswith("notebooks/"):
        return
    run, published = app.config.book_run, app.config.book_published
    shown = [key for key in ("library", "scale", "seed") if run[key] != published[key]]
    shown = [key for key in run if key in (*shown, "scale", "seed")]
    values = ", ".join(f"{key} {run[key]}" for key in shown)
    of_prose = ", ".join(f"{key} {published[key]}" for key in shown if key != "scale")
    of_prose = ", ".join(filter(None, (str(published["scale"]), of_prose)))
    text = f"This build uses {values}; the prose speaks of the published run ({of_prose})."
    banner = nodes.note("", nodes.paragraph("", text), classes=["run-banner"])
    for section in document.findall(nodes.section):
        section.insert(1, banner)  # after the title
        break


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the roles, the directive, the banner and their two settings."""
    app.add_config_value("book_published", {}, "env")
    app.add_config_value("book_run", {}, "env")
    app.add_role("verdict", VerdictRole())
    app.add_role("guard", GuardRole())
    app.add_directive("guard", GuardDirective)
    app.connect("doctree-read", add_banner)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
