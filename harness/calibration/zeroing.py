"""Zeroing the power meter in the dark: what it shows without light is taken off from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from drivers.errors import InstrumentError
from harness.bench import Bench
from harness.calibration.checks import Check, Outcome
from harness.calibration.darkness import check_darkness, make_dark
from harness.calibration.levels import DARK_DBM, read_levels

STEP = "zero"


class _CanZero(Protocol):
    def zero(self, channels: Sequence[int] | None = None) -> None: ...


def zero_meter(bench: Bench, *, dark_dbm: float = DARK_DBM) -> list[Check]:
    """Take all light away, look whether every port is dark, and zero those that are; then read them again. A
    port with light is named and left as it was: zeroing it would take real light off every later reading.

    :raises BenchError: when an instrument fails.
    """
    bench.connect()
    make_dark(bench)
    before = check_darkness(bench, dark_dbm=dark_dbm)
    dark = [
        port
        for port, check in zip(bench.power_meter.channels, before, strict=True)
        if check.outcome is Outcome.PASSED or check.numbers["mean_w"] < 0.0
    ]
    checks = [check for check in before if check.outcome is Outcome.FAILED]
    if not hasattr(bench.power_meter, "zero"):
        return [
            *checks,
            Check(
                STEP,
                "power_meter",
                Outcome.FAILED,
                "this meter cannot be zeroed by command",
                "Zero it by hand, with all ports dark.",
            ),
        ]
    for port in dark:
        try:
            cast("_CanZero", bench.power_meter).zero([port])
        except InstrumentError as fault:
            checks.append(
                Check(
                    STEP,
                    f"power_meter.{port}",
                    Outcome.FAILED,
                    str(fault),
                    "Put its cap on, or look where its light comes from, then zero again.",
                )
            )
            dark = [other for other in dark if other != port]
    bench.forget_set_ups()
    after = read_levels(bench, dark) if dark else {}
    was_w = dict(zip(bench.power_meter.channels, (c.numbers["mean_w"] for c in before), strict=True))
    for port, level in after.items():
        checks.append(
            Check(
                STEP,
                f"power_meter.{port}",
                Outcome.PASSED,
                f"{was_w[port]:+.1e} W before, {level.mean_w:+.1e} W after",
                "",
                {"before_w": was_w[port], "after_w": level.mean_w, "readings_w": list(level.readings_w)},
                ("power_meter",),
            )
        )
    return checks
