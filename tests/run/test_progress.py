"""Progress bars: on stderr where somebody sees them, and nowhere else."""

import io

import pytest
from rich.console import Console

from t2v._run import progress


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_on_stderr_on_a_terminal_if_asked_for(monkeypatch, capsys, terminal, wanted):
    output = io.StringIO()

    def console(stderr=False):
        assert stderr
        return Console(file=output, force_terminal=terminal)

    monkeypatch.setattr(progress, "Console", console)
    assert list(progress.bar(iter("abc"), "letters", 3, wanted)) == ["a", "b", "c"]
    assert ("letters" in output.getvalue()) == (terminal and wanted)
    assert ("100%" in output.getvalue()) == (terminal and wanted)
    assert capsys.readouterr() == ("", "")
