"""The oscilloscope's own noise, measured in the dark through the bench's wiring."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.judging.measured import NotOffered
from harness.run import Run
from harness.wiring import MATRIX, OpticalPath, Port

READINGS = 8
# Shortest record that an rms is taken of, as noise bandwidth times time: 16 sweeps of 2 symbols at least.
# Assumed; a real one tells neither.
_INDEPENDENT = 1000.0


@dataclass(frozen=True, slots=True)
class OwnNoise:
    """``noise_w``: rms behind the reference filter, watts; ``readings_w``: what it is the rms mean of;
    ``relative``: standard uncertainty of its square over its square."""

    noise_w: float
    readings_w: tuple[float, ...]
    relative: float


def own_noise(run: Run, path: OpticalPath, lane: int) -> OwnNoise | NotOffered:
    """Rms noise of the oscilloscope's channel at the end of a way, which is darkened by a matrix's input
    that nothing is plugged into. The lane's route is taken away: it is to be routed again.

    :raises BenchError: when the instruments do not do as they must, or the input is not dark.
    """
    dark = _dark_route(run, path)
    if isinstance(dark, NotOffered):
        return dark
    run.bench.optical_switch.route(dark)
    scope = run.bench.oscilloscope
    readings_w = tuple(
        scope.measure_dark_noise_w(
            path.end.number,
            wavelength_nm=run.pmd.lane_wavelength_nm(lane),
            symbol_rate_bd=run.pmd.symbol_rate_bd,
        )
        for _ in range(READINGS)
    )
    squares = [reading**2 for reading in readings_w]
    mean = math.fsum(squares) / len(squares)
    spread = math.sqrt(math.fsum((s - mean) ** 2 for s in squares) / (len(squares) - 1)) / mean
    least = math.sqrt(2.0 / _INDEPENDENT)  # eight readings may agree by chance
    return OwnNoise(math.sqrt(mean), readings_w, max(spread, least) / math.sqrt(len(squares)))


def _dark_route(run: Run, path: OpticalPath) -> dict[int, int] | NotOffered:
    """A free input of the matrix to the output that leads to the way's end."""
    last = path.routes[-1] if path.routes else None
    if last is None or last[0] != MATRIX:
        return NotOffered(f"no matrix stands before {path.end}: its own noise cannot be measured in the dark")
    wiring = run.bench.spec.wiring
    free = [
        entry for entry in run.bench.optical_switch.inputs if not wiring.is_plugged(Port(MATRIX, str(entry)))
    ]
    if not free:
        return NotOffered("every input of the matrix has a fibre: the oscilloscope cannot be darkened by it")
    return {free[0]: last[2]}
