"""The examples of docs/cmis.md, run as they stand against a simulated module."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import smbus2

import drivers.clock
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.commands.firmware import make_image
from harness.simulation.module.profile import load_profile
from harness.simulation.module.simulated_module import SimulatedModule
from harness.simulation.signals import TRAFFIC
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

_PAGE = Path(__file__).parents[3] / "docs/cmis.md"
_PIN_BITS = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}


class _Socket:
    """A steady supply, a steady case, light on every lane."""

    def vcc_v(self) -> float:
        return 3.3

    def case_temp_c(self) -> float:
        return 40.0

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        return (Beam("light", 1e-3, 1311.0, TRAFFIC, Modulation(even_levels(5.0))),)


def test_the_examples_of_the_documentation_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(1)
    module = SimulatedModule(world, load_profile("good-dr4"), _Socket())
    bus = SimulatedI2cBus(world)
    SimulatedHostBoard(world, bus, module, _PIN_BITS)
    module.set_selected(asserted=True)
    module.set_low_power(asserted=False)
    module.supply_changed()
    world.advance(2.0)
    numbers: list[int] = []
    monkeypatch.setattr(smbus2, "SMBus", lambda number: numbers.append(number) or bus)
    monkeypatch.setattr(drivers.clock, "WallClock", lambda: VirtualClock(world))
    monkeypatch.chdir(tmp_path)
    examples = re.findall(
        r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    names: dict[str, object] = {"new_image": make_image(version=(9, 1))}

    for example in examples:
        exec(compile(example, str(_PAGE), "exec"), names)

    assert numbers == [1]
    shown = capsys.readouterr().out
    for expected in (
        "400GBASE-DR4",
        "DPActivated",
        "degC",
        "locked",
        "self-measured",
        "9.1",
        "OutputDisableTx",
    ):
        assert expected in shown, expected
    assert "NO LOCK" not in shown
    assert len(examples) == 9
