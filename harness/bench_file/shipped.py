"""Where the bench files are that come with the program."""

from __future__ import annotations

from pathlib import Path

BENCHES_FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "benches"
