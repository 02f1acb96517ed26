"""The reference transmitter: a golden module with a clock of its own, and what it was measured as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.light.beam import PAM4_RATE_BD, STEADY, Beam, Modulation, even_levels
from harness.simulation.signals import TRAFFIC, LineSignal
from harness.simulation.world import World
from harness.simulation_section import ReferenceSpec
from harness.wiring import REFERENCE

_CLOCK_PPM = 100.0
_CWDM_NM = (1271.0, 1291.0, 1311.0, 1331.0)
_WAVELENGTH_SPREAD_NM = 0.5
_SECQ_SAMPLES_PER_UI = 16


@dataclass(frozen=True, slots=True)
class ReferenceCalibration:
    """What a lane was measured as, off from the truth by a drawn error within the stated uncertainty (k = 2).

    Attributes: ``average_power_dbm`` at the reference transmitter's own port; ``secq_db``: behind the
    reference receiver, with its equaliser.
    """

    average_power_dbm: float
    extinction_ratio_db: float
    secq_db: float
    wavelength_nm: float
    power_uncertainty_db: float
    extinction_ratio_uncertainty_db: float
    secq_uncertainty_db: float
    wavelength_uncertainty_nm: float

    @property
    def oma_outer_dbm(self) -> float:
        """OMAouter, from the measured power and extinction ratio (optics.md section 4)."""
        low, _, _, high = even_levels(self.extinction_ratio_db)
        return dbm_from_w(w_from_dbm(self.average_power_dbm) * (high - low))


class ReferenceTransmitter:
    """Lanes count from 1. All have one clock, off the nominal rate by a drawn -100 .. +100 ppm, so that they
    are asynchronous to the module. Lanes send traffic until told otherwise.

    Public attributes: ``spec``; ``symbol_rate_bd``.
    """

    def __init__(self, world: World, spec: ReferenceSpec) -> None:
        self.spec = spec
        self._noise = world.noise
        ppm = _CLOCK_PPM * (2.0 * self._noise.uniform(REFERENCE, "clock") - 1.0)
        self.symbol_rate_bd = PAM4_RATE_BD * (1.0 + ppm * 1e-6)
        self._modulation = Modulation(
            even_levels(spec.extinction_ratio_db),
            symbol_rate_bd=self.symbol_rate_bd,
            bandwidth_hz=spec.bandwidth_hz,
            rin_db_hz=spec.rin_db_hz,
        )
        self._steady = replace(STEADY, symbol_rate_bd=self.symbol_rate_bd, rin_db_hz=spec.rin_db_hz)
        self._lit = [spec.lit] * spec.lanes
        self._signals: list[LineSignal | None] = [TRAFFIC] * spec.lanes
        self._power_dbm = tuple(self._drawn_power_dbm(lane) for lane in self.lanes)
        self._wavelengths_nm = tuple(self._drawn_wavelength_nm(lane) for lane in self.lanes)
        self._secq_db: float | None = None
        self._beams: dict[int, tuple[Beam, ...]] = {}

    @property
    def lanes(self) -> range:
        """Numbers of its lanes."""
        return range(1, self.spec.lanes + 1)

    def set_lane(self, lane: int, on: bool) -> None:
        """Switch the laser of a lane.

        :raises ValueError: for a lane that is not there.
        """
        self._lit[self._index(lane)] = on
        self._beams.clear()

    def set_signal(self, lane: int, signal: LineSignal | None) -> None:
        """What a lane's symbols carry; None: nothing feeds its modulator, the light is steady.

        :raises ValueError: for a lane that is not there.
        """
        self._signals[self._index(lane)] = signal
        self._beams.clear()

    def is_lit(self, lane: int) -> bool:
        """Whether the laser of a lane is on.

        :raises ValueError: for a lane that is not there.
        """
        return self._lit[self._index(lane)]

    def launched(self, port: int) -> tuple[Beam, ...]:
        """Light that leaves port ``reference_tx.1`` ..; none from a port that is not there."""
        beams = self._beams.get(port)
        if beams is None:
            sharing = self.lanes if self.spec.multiplexed else (port,)
            there = port == 1 if self.spec.multiplexed else port in self.lanes
            lit = [lane for lane in sharing if self.is_lit(lane)] if there else []
            beams = self._beams[port] = tuple(self._beam(lane) for lane in lit)
        return beams

    def calibration(self, lane: int) -> ReferenceCalibration:
        """What the lane was measured as when it was last on a calibrated bench. Working out its SECQ takes a
        part of a second, once.

        :raises ValueError: for a lane that is not there.
        """
        index, spec = self._index(lane), self.spec
        return ReferenceCalibration(
            average_power_dbm=self._power_dbm[index] + self._error("power", lane, spec.power_uncertainty_db),
            extinction_ratio_db=max(
                0.1,
                spec.extinction_ratio_db
                + self._error("extinction ratio", lane, spec.extinction_ratio_uncertainty_db),
            ),
            secq_db=self.secq_db() + self._error("SECQ", lane, spec.secq_uncertainty_db),
            wavelength_nm=self._wavelengths_nm[index]
            + self._error("wavelength", lane, spec.wavelength_uncertainty_nm),
            power_uncertainty_db=spec.power_uncertainty_db,
            extinction_ratio_uncertainty_db=spec.extinction_ratio_uncertainty_db,
            secq_uncertainty_db=spec.secq_uncertainty_db,
            wavelength_uncertainty_nm=spec.wavelength_uncertainty_nm,
        )

    def secq_db(self) -> float:
        """The true one, of every lane alike: that of SSPRQ as this transmitter sends it, without its RIN."""
        if self._secq_db is None:
            from harness.signal.patterns import pattern
            from harness.signal.synthesis import pam4_waveform
            from harness.signal.tdecq import secq

            symbols = pattern("SSPRQ").symbols()
            sent = pam4_waveform(
                symbols,
                self._modulation.levels,
                samples_per_ui=_SECQ_SAMPLES_PER_UI,
                symbol_rate_bd=self.symbol_rate_bd,
                bandwidth_hz=self.spec.bandwidth_hz,
            )
            self._secq_db = secq(sent, symbols, reference_filter_applied=False).tdecq_db
        return self._secq_db

    def _index(self, lane: int) -> int:
        if lane not in self.lanes:
            raise ValueError(f"the reference transmitter has lanes 1 .. {self.spec.lanes}, not {lane}")
        return lane - 1

    def _beam(self, lane: int) -> Beam:
        signal = self._signals[lane - 1]
        return Beam(
            source=f"{REFERENCE}.{lane}",
            power_w=w_from_dbm(self._power_dbm[lane - 1]),
            wavelength_nm=self._wavelengths_nm[lane - 1],
            signal=signal,
            modulation=self._steady if signal is None else self._modulation,
        )

    def _drawn_power_dbm(self, lane: int) -> float:
        drawn = 2.0 * self._noise.uniform(REFERENCE, "power", lane) - 1.0
        return self.spec.average_power_dbm + self.spec.spread_db * drawn

    def _drawn_wavelength_nm(self, lane: int) -> float:
        middle = _CWDM_NM[lane - 1] if self.spec.multiplexed else self.spec.wavelength_nm
        return middle + _WAVELENGTH_SPREAD_NM * (
            2.0 * self._noise.uniform(REFERENCE, "wavelength", lane) - 1.0
        )

    def _error(self, what: str, lane: int, uncertainty: float) -> float:
        deviation = max(-2.0, min(2.0, self._noise.normal(REFERENCE, "calibration", what, lane)))
        return deviation * uncertainty / 2.0
