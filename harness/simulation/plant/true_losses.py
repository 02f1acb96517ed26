"""What the bench's pieces truly lose.

The bench file states each loss with an uncertainty; the world draws the true one from it, as a lab's
connectors do. So a measured power is off by what its budget says, and by no more.
"""

from __future__ import annotations

from drivers.units import ratio_from_db
from harness.simulation.noise import Noise
from harness.wiring import Fibre, InsertionLoss, Leg, Splitter


class TrueLosses:
    """Draws of one bench: the same piece, the same loss, always."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise

    def fibre_db(self, fibre: Fibre) -> float:
        """All of a fibre with its connectors, dB."""
        return self._drawn_db(f"{fibre.start}>{fibre.end}", fibre)

    def pass_db(self, role: str, entry: int, leave: int, loss: InsertionLoss) -> float:
        """From an input to an output of an instrument, dB."""
        return self._drawn_db(f"{role}:{entry}>{leave}", loss)

    def leg_transmissions(self, splitter: Splitter) -> tuple[float, ...]:
        """Shares of the light that go between the input and each leg. However the draws fall, no more light
        leaves a splitter than comes into it."""
        drawn = tuple(
            ratio_from_db(-self._drawn_db(f"{splitter.name}.{number}", leg))
            for number, leg in enumerate(splitter.legs, start=1)
        )
        excess = max(1.0, splitter.most_out(drawn))
        return tuple(share / excess for share in drawn)

    def zero_dispersion_nm(self, fibre: Fibre, limits_nm: tuple[float, float]) -> float:
        """Where the fibre has no chromatic dispersion, nanometres."""
        low_nm, high_nm = limits_nm
        drawn = self._noise.uniform("zero dispersion", f"{fibre.start}>{fibre.end}")
        return low_nm + (high_nm - low_nm) * drawn

    def _drawn_db(self, key: str, stated: Fibre | InsertionLoss | Leg) -> float:
        return max(0.0, stated.loss_db + self._noise.deviation(stated.uncertainty_db, "loss", key))
