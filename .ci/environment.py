"""Write environment.yml (conda, Binder) from requirements.lock, the one place of the pins."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"


def environment(lock: str) -> str:
    """The text of environment.yml for the text of requirements.lock."""
    pins = [line for line in lock.splitlines() if line and not line.startswith("#")]
    quoted = "\n".join(f'    - "{pin}"' if '"' not in pin else f"    - '{pin}'" for pin in pins)
    return (
        "# made by .ci/environment.py from requirements.lock: change that, then `make lock`\n"
        "name: t2v\n"
        "channels: [conda-forge]\n"
        "dependencies:\n"
        f"  - python={PYTHON}\n"
        "  - pip\n"
        "  - pip:\n"
        f"{quoted}\n"
        "    - -e .\n"
    )


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment((ROOT / "requirements.lock").read_text()))
