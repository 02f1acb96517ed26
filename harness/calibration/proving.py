"""Proving a bench: that it is wired as its file says, and that its light, losses and instruments agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.acquisitions.launch_power import disable_settling_s
from harness.calibration import darkness, lane_light, pad_step, two_instruments, two_ways
from harness.calibration.checks import Check, Outcome, all_passed
from harness.calibration.levels import DARK_DBM
from harness.calibration.lit_module import NoLightError, light_up, module_faults_as_no_light
from harness.judging.pmd import Pmd
from harness.run import Run

REQUIRED = (darkness.STEP, lane_light.STEP)
"""Steps without which nothing is proven; the others are done where the bench has what they take."""
_LIGHT = "light"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found. ``passed``: nothing failed, and what is required was done."""

    checks: tuple[Check, ...]
    passed: bool

    @property
    def proven_roles(self) -> frozenset[str]:
        """Roles whose instruments took part in checks that passed, when all did."""
        done = (check for check in self.checks if check.outcome is Outcome.PASSED)
        return frozenset(role for check in done for role in check.roles) if self.passed else frozenset()


def prove(
    run: Run, pmd: Pmd, *, dark_dbm: float = DARK_DBM, told: Callable[[str], None] = lambda _: None
) -> Proof:
    """Dark readings, one lane at a time, losses by two ways, the 3 dB step, the oscilloscope against the
    meter. ``told``: hears what begins. The bench is left for :meth:`Run.finish` to make safe.

    :raises BenchError: when an instrument fails: the bench is then neither proven nor disproven.
    """
    told("all light off: dark readings of every port of the power meter")
    run.bench.connect()
    darkness.make_dark(run.bench)
    checks = darkness.check_darkness(run.bench, dark_dbm=dark_dbm)
    try:
        with module_faults_as_no_light():
            checks += _with_light(run, pmd, told)
    except NoLightError as fault:
        checks.append(
            Check(
                _LIGHT,
                "module",
                Outcome.FAILED,
                str(fault),
                "Take another module, one that is known to be good.",
            )
        )
    return Proof(tuple(checks), all_passed(checks, REQUIRED))


def _with_light(run: Run, pmd: Pmd, told: Callable[[str], None]) -> Sequence[Check]:
    lanes = pmd.lane_numbers()
    told("module powered, brought up, and its case brought to temperature")
    light_up(run, pmd)
    told("one lane lit at a time")
    checks = lane_light.check_lanes(run, lanes)
    if any(check.outcome is not Outcome.PASSED for check in checks):
        # Losses of ways that lead elsewhere mean nothing.
        return [
            *checks,
            *(
                Check(
                    step,
                    "all",
                    Outcome.NOT_DONE,
                    "lanes do not arrive where they should",
                    "Put that right first.",
                )
                for step in (two_ways.STEP, pad_step.STEP, two_instruments.STEP)
            ),
        ]
    run.bench.clock.sleep(disable_settling_s(run.module))
    told("losses: every lane by all its ways to the meter")
    checks += two_ways.check_losses(run.bench, lanes)
    told("3 dB step")
    checks += pad_step.check_pad_step(run.bench, lanes)
    told("oscilloscope against power meter")
    checks += two_instruments.check_oscilloscope(run, lanes)
    return checks
