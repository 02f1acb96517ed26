"""The reference transmitter: a golden module with a clock of its own, and what it was measured as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.cmis.diagnostics.patterns import pattern_code
from drivers.units import dbm_from_w, w_from_dbm
from harness.bench_file.simulation_section import TRAFFIC_PATTERN, ReferenceSpec
from harness.simulation.light.beam import PAM4_RATE_BD, STEADY, Beam, Modulation, even_levels
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern
from harness.simulation.world import World
from harness.wiring import REFERENCE
from harness.wiring.pieces import CWDM_NM

_CLOCK_PPM = 100.0
_WAVELENGTH_SPREAD_NM = 0.5
_SECQ_SAMPLES_PER_UI = 16
_SECQ_POWER_W = 1e-3  # any: SECQ does not depend on it


@dataclass(frozen=True, slots=True)
class ReferenceCalibration:
    """What a lane was measured as, off from the truth by a drawn error within what is stated (k = 2).

    Attributes: ``calibrated``: the date; all of it holds at the reference transmitter's own port, so that
    what lies between it and TP3 has to be taken off; ``secq_db``: behind the reference receiver, with its
    equaliser.
    """

    calibrated: str

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
        """OMAouter, from the measured power and extinction ratio (even levels)."""
        low, _, _, high = even_levels(self.extinction_ratio_db)
        return dbm_from_w(w_from_dbm(self.average_power_dbm) * (high - low))


class ReferenceTransmitter:
    """Lanes count from 1. All have one clock, off the nominal rate by a drawn -100 .. +100 ppm, so that they
    are asynchronous to the module. Lanes differ in power, extinction ratio, bandwidth and wavelength, and
    send what the bench file says until told otherwise.

    Public attributes: ``spec``; ``symbol_rate_bd``.
    """

    def __init__(self, world: World, spec: ReferenceSpec) -> None:
        self.spec = spec
        self._noise = world.noise
        ppm = _CLOCK_PPM * (2.0 * self._noise.uniform(REFERENCE, "clock") - 1.0)
        self.symbol_rate_bd = PAM4_RATE_BD * (1.0 + ppm * 1e-6)
        self._modulations = tuple(self._drawn_modulation(lane) for lane in self.lanes)
        self._steady = replace(STEADY, symbol_rate_bd=self.symbol_rate_bd, rin_db_hz=spec.rin_db_hz)
        self._lit = [spec.lit] * spec.lanes
        self._signals: list[LineSignal | None] = [_signal(spec.pattern)] * spec.lanes
        self._power_dbm = tuple(self._drawn_power_dbm(lane) for lane in self.lanes)
        self._wavelengths_nm = tuple(self._drawn_wavelength_nm(lane) for lane in self.lanes)
        self._secq_db: dict[int, float] = {}
        self._beams: dict[int, tuple[Beam, ...]] = {}

    @property
    def lanes(self) -> range:
        """Numbers of its lanes."""
        return range(1, self.spec.lanes + 1)

    def set_lane(self, lane: int, *, lit: bool) -> None:
        """Switch the light of a lane.

        :raises ValueError: for a lane that is not there.
        """
        self._lit[self._index(lane)] = lit
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
            calibrated=spec.calibrated,
            average_power_dbm=self._power_dbm[index] + self._error("power", lane, spec.power_uncertainty_db),
            extinction_ratio_db=max(
                0.1,
                self._modulations[index].extinction_ratio_db
                + self._error("extinction ratio", lane, spec.extinction_ratio_uncertainty_db),
            ),
            secq_db=self.secq_db(lane) + self._error("SECQ", lane, spec.secq_uncertainty_db),
            wavelength_nm=self._wavelengths_nm[index]
            + self._error("wavelength", lane, spec.wavelength_uncertainty_nm),
            power_uncertainty_db=spec.power_uncertainty_db,
            extinction_ratio_uncertainty_db=spec.extinction_ratio_uncertainty_db,
            secq_uncertainty_db=spec.secq_uncertainty_db,
            wavelength_uncertainty_nm=spec.wavelength_uncertainty_nm,
        )

    def secq_db(self, lane: int) -> float:
        """The true one: that of SSPRQ as this lane sends it, without its RIN.

        :raises ValueError: for a lane that is not there.
        """
        modulation = self._modulations[self._index(lane)]
        if lane not in self._secq_db:
            from harness.signal.patterns import pattern
            from harness.signal.synthesis import pam4_waveform
            from harness.signal.tdecq import secq

            symbols = pattern("SSPRQ").symbols()
            sent = pam4_waveform(
                symbols,
                [_SECQ_POWER_W * level for level in modulation.levels],
                samples_per_ui=_SECQ_SAMPLES_PER_UI,
                symbol_rate_bd=self.symbol_rate_bd,
                bandwidth_hz=modulation.bandwidth_hz,
            )
            self._secq_db[lane] = secq(sent, symbols, reference_filter_applied=False).tdecq_db
        return self._secq_db[lane]

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
            modulation=self._steady if signal is None else self._modulations[lane - 1],
        )

    def _drawn_modulation(self, lane: int) -> Modulation:
        spec = self.spec
        ratio_db = spec.extinction_ratio_db + spec.extinction_ratio_spread_db * self._drawn("ratio", lane)
        return Modulation(
            even_levels(max(0.1, ratio_db)),
            symbol_rate_bd=self.symbol_rate_bd,
            bandwidth_hz=max(
                1e9, spec.bandwidth_hz + spec.bandwidth_spread_hz * self._drawn("bandwidth", lane)
            ),
            rin_db_hz=spec.rin_db_hz,
        )

    def _drawn_power_dbm(self, lane: int) -> float:
        return self.spec.average_power_dbm + self.spec.spread_db * self._drawn("power", lane)

    def _drawn_wavelength_nm(self, lane: int) -> float:
        middle = CWDM_NM[lane - 1] if self.spec.multiplexed else self.spec.wavelength_nm
        return middle + _WAVELENGTH_SPREAD_NM * self._drawn("wavelength", lane)

    def _drawn(self, what: str, lane: int) -> float:
        return 2.0 * self._noise.uniform(REFERENCE, what, lane) - 1.0

    def _error(self, what: str, lane: int, uncertainty: float) -> float:
        return self._noise.deviation(uncertainty, REFERENCE, "calibration", what, lane)


def _signal(pattern: str) -> LineSignal:
    return TRAFFIC if pattern == TRAFFIC_PATTERN else LineSignal((Pattern(pattern_code(pattern)),))
