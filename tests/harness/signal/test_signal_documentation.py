"""The examples of docs/signal.md run, one after the other, and say what the page says."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "signal.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    seen: list[dict[str, Any]] = []
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
        seen.append(dict(names))
    assert len(examples) == 7
    assert names["capture"].symbols == 65535
    assert np.allclose(names["capture"].samples_w, names["trace"].samples_w, rtol=1e-6, atol=0.0)
    assert 0.5 < names["result"].tdecq_db < 2.0
    assert names["outer"].extinction_ratio_db == pytest.approx(5.0, abs=0.1)
    assert seen[4]["found"].errors == 3
    assert 10.0 * math.log10(seen[5]["found"].oma_w * 1e3) == pytest.approx(-4.73, abs=0.01)
    assert names["margin"].margin_db > 0.5
    assert names["lossy"].codeword_error_ratio == pytest.approx(3e-9, rel=1e-3)
    assert not names["lossy"].tail_fits
    assert "bursts" in examples[6]
