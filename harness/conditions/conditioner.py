"""Conditions at the module: supply at its connector, temperature of its case. Reached, read, and only then
called reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from drivers.clock import wait_until
from drivers.errors import NotSettledError
from harness.bench import Bench
from harness.conditions.case_in_air import AirTrim, CaseInAir
from harness.conditions.corner import Corner

NOMINAL_VCC_V = 3.3
SUPPLY_SHARE = 0.05
"""Further than this share off is a failed supply. Below what it was set to, where it regulates: it collapsed
or tripped, and is not settling. At the connector, either way: it explains what a module does wrong, which is
specified for 3.3 V within this share (3.135 V to 3.465 V)."""
_POLL_S = 2.0
_VOLTAGE_TRIES = 4
_POWER_OFF_S = 1.0  # long enough for a module's own capacitors; no document says how long


@dataclass(frozen=True, slots=True)
class ConnectorReading:
    """Supply at the module's connector, with expanded uncertainties (k = 2)."""

    voltage_v: float
    voltage_uncertainty_v: float
    current_a: float
    current_uncertainty_a: float

    @property
    def power_w(self) -> float:
        """What the module draws."""
        return self.voltage_v * self.current_a

    @property
    def power_uncertainty_w(self) -> float:
        """Expanded uncertainty (k = 2) of it."""
        return math.hypot(
            self.voltage_uncertainty_v * self.current_a, self.current_uncertainty_a * self.voltage_v
        )


@dataclass(frozen=True, slots=True)
class Conditions:
    """The bench stands at a corner; what was read there. ``power_w``: what the module draws."""

    corner: Corner
    case_temp_measured_c: float
    vcc_v: float
    chamber_moved: bool
    settling_s: float
    power_w: float = math.nan


def _not_noted(_trim: AirTrim) -> None:
    """For who wants no record of trims."""


def _nothing() -> None:
    """For who has nothing to do on the way."""


class Conditioner:
    """Moves supply and temperature, and only what has to move: the chamber once per visit.

    Attribute ``on_the_way``: called at each look at the source while a case is brought to a temperature.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.on_the_way: Callable[[], None] = _nothing
        self._in_air = CaseInAir(bench, lambda: self.read_connector().power_w, self._at_temperature)
        self._standing: Corner | None = None
        self._supply_set_v: float | None = None
        self.chamber_moves = 0
        self.powered_at_s = bench.clock.now_s()

    def power_on(self, vcc_v: float) -> ConnectorReading:
        """Turn the module's supply on, with its limits set first; ``powered_at_s`` is when.

        :raises NotSettledError: when the connector does not reach the voltage.
        """
        bench, supply = self._bench, self._bench.spec.supply
        self._supply_set_v = None
        bench.power_supply.configure_output(
            supply.channel,
            current_limit_a=supply.current_limit_a,
            overvoltage_v=supply.overvoltage_v,
            remote_sense=supply.remote_sense,
        )
        bench.power_supply.set_voltage_v(supply.channel, vcc_v)
        bench.power_supply.set_output(supply.channel, on=True)
        # After the command: what the bench takes must not count against the module.
        self.powered_at_s = bench.clock.now_s()
        return self.set_vcc(vcc_v)

    def power_off(self) -> None:
        """Take the module's supply away, and read that back."""
        self._supply_set_v = None
        self._bench.power_supply.set_output(self._bench.spec.supply.channel, on=False)

    def power_cycle(self, vcc_v: float) -> ConnectorReading:
        """Take the module's supply away for a while and turn it on again.

        :raises NotSettledError: when the connector does not reach the voltage.
        """
        self.power_off()
        self._bench.clock.sleep(_POWER_OFF_S)
        return self.power_on(vcc_v)

    def read_connector(self) -> ConnectorReading:
        """Voltage and current at the module's connector, from the supply's own meters; with local sense the
        leads' drop is taken off."""
        bench, supply = self._bench, self._bench.spec.supply
        voltage_v = bench.power_supply.measure_voltage_v(supply.channel)
        current_a = bench.power_supply.measure_current_a(supply.channel)
        uncertainty_v = supply.voltage_uncertainty_v
        voltage_v -= self._lead_drop_v(current_a)
        if not supply.remote_sense:
            uncertainty_v = math.hypot(uncertainty_v, current_a * supply.lead_uncertainty_ohm)
        return ConnectorReading(voltage_v, uncertainty_v, current_a, supply.current_uncertainty_a)

    def _lead_drop_v(self, current_a: float) -> float:
        """What the leads drop outside the supply's regulation: nothing with remote sense."""
        supply = self._bench.spec.supply
        return 0.0 if supply.remote_sense else current_a * supply.lead_resistance_ohm

    def _collapsed(self, reading: ConnectorReading, set_v: float) -> bool:
        # The leads' drop is none of the supply's failure: it is made up for by setting it higher.
        held_v = reading.voltage_v + self._lead_drop_v(reading.current_a)
        return held_v < (1.0 - SUPPLY_SHARE) * set_v

    def set_vcc(self, vcc_v: float) -> ConnectorReading:
        """Bring the connector to a voltage and read it there.

        :raises NotSettledError: when it does not come within the bench file's tolerance.
        """
        bench, supply = self._bench, self._bench.spec.supply
        set_v = vcc_v
        # What the leads can drop at most. A rail that reads low for another reason (a load that pulls it
        # down, an open lead) must not be answered with a voltage that kills the module when it recovers.
        lead_ohm = supply.lead_resistance_ohm + supply.lead_uncertainty_ohm
        highest_v = vcc_v + supply.current_limit_a * lead_ohm + supply.tolerance_v
        for _ in range(_VOLTAGE_TRIES):
            bench.power_supply.set_voltage_v(supply.channel, set_v)
            bench.clock.sleep(supply.settling_s)
            reading = self.read_connector()
            error_v = vcc_v - reading.voltage_v
            if self._collapsed(reading, set_v):
                # Not a matter of settling. Setting it anew would let the module restart unnoticed.
                break
            if abs(error_v) <= supply.tolerance_v:
                self._supply_set_v = set_v
                return reading
            if supply.remote_sense:
                continue
            set_v = min(set_v + error_v, highest_v)
        raise _not_there(reading, vcc_v, supply.tolerance_v)

    def require_vcc(self, vcc_v: float) -> None:
        """Look whether the connector still stands at a voltage.

        :raises NotSettledError: when it is outside the bench file's tolerance.
        """
        reading = self.read_connector()
        tolerance_v = self._bench.spec.supply.tolerance_v
        if abs(reading.voltage_v - vcc_v) > tolerance_v:
            raise _not_there(reading, vcc_v, tolerance_v)

    def require_supply(self, vcc_v: float, seen: str = "") -> None:
        """Look whether the module has its supply, to :data:`SUPPLY_SHARE`; ``seen``: what its lack would
        explain.

        :raises NotSettledError: when it has not.
        """
        reading = self.read_connector()
        if abs(reading.voltage_v - vcc_v) > SUPPLY_SHARE * vcc_v:
            raise _not_there(reading, vcc_v, SUPPLY_SHARE * vcc_v, seen)

    def _require_supply_as_set(self) -> None:
        """Look whether the supply still holds what it was set to, before it is set to anything else.

        :raises NotSettledError: when it collapsed meanwhile; setting it anew would bring it back and let the
            module restart unnoticed.
        """
        set_v, self._supply_set_v = self._supply_set_v, None
        if set_v is None:
            return
        reading = self.read_connector()
        if self._collapsed(reading, set_v):
            expected_v = set_v - self._lead_drop_v(reading.current_a)
            raise _not_there(reading, expected_v, SUPPLY_SHARE * set_v)
        self._supply_set_v = set_v

    def reach_temperature(self, case_temp_c: float, noted: Callable[[AirTrim], None] = _not_noted) -> float:
        """Bring the case to a temperature; return the seconds that took. Where the source controls the air,
        its set point is trimmed until the case is there; ``noted`` is told of each trim.

        :raises NotSettledError: when the thermal source does not settle, or the case cannot be brought there.
        """
        bench, thermal = self._bench, self._bench.spec.thermal

        def too_late() -> NotSettledError:
            return NotSettledError(
                "thermal",
                f"case at {bench.case_sensor.read_case_c():.1f} C, "
                f"air at {bench.thermal.read_air_c():.1f} C, "
                f"expected {case_temp_c:g} C within {thermal.window_c:g} K for {thermal.soak_s:g} s, "
                f"after {thermal.time_limit_s:g} s",
                advice="Check air flow, head, the sensor on the case, and the bench file's time limit.",
            )

        self.chamber_moves += 1
        if bench.thermal.controls == "air":
            start_s = bench.clock.now_s()
            self._in_air.reach(case_temp_c, noted, too_late)
            return bench.clock.now_s() - start_s
        bench.thermal.start_setpoint_c(case_temp_c, window_c=thermal.window_c, soak_s=thermal.soak_s)
        return wait_until(
            bench.clock,
            self._at_temperature,
            timeout_s=thermal.time_limit_s,
            interval_s=_POLL_S,
            error=too_late,
        )

    def _at_temperature(self) -> bool:
        self.on_the_way()
        return self._bench.thermal.at_temperature()

    def wait_for_case(self, case_temp_c: float) -> None:
        """Wait until the case is back within the window: after its module was without supply. Nothing is set.

        :raises NotSettledError: when it is not within the bench file's time limit.
        """
        bench, thermal = self._bench, self._bench.spec.thermal

        def too_late() -> NotSettledError:
            return NotSettledError(
                "case_sensor",
                f"the case is at {bench.case_sensor.read_case_c():.1f} C, and did not come back to "
                f"{case_temp_c:g} C after its module was without supply",
                advice="Check air flow, head and the sensor on the case.",
            )

        wait_until(
            bench.clock,
            lambda: abs(bench.case_sensor.read_case_c() - case_temp_c) <= thermal.window_c,
            timeout_s=thermal.time_limit_s,
            interval_s=_POLL_S,
            error=too_late,
        )

    def where_it_stands(self, visit: int = 1) -> Conditions:
        """Take the bench for a corner as it is: nothing is moved. The corner is what is read, to a kelvin and
        to the nominal supply.

        :raises NotSettledError: when the connector is not at the nominal voltage.
        """
        start_s = self._bench.clock.now_s()
        self.require_vcc(NOMINAL_VCC_V)
        reading, case_c = self.read_connector(), self._bench.case_sensor.read_case_c()
        corner = Corner(visit, float(round(case_c)), NOMINAL_VCC_V)
        settling_s = self._bench.clock.now_s() - start_s
        return Conditions(corner, case_c, reading.voltage_v, False, settling_s, reading.power_w)

    def go_to(self, corner: Corner, noted: Callable[[AirTrim], None] = _not_noted) -> Conditions:
        """Bring the bench to a corner and read where it stands; ``noted`` as for :meth:`reach_temperature`.

        :raises NotSettledError: when a condition is not reached.
        """
        bench = self._bench
        start_s = bench.clock.now_s()
        before: Corner | None = self._standing
        moved = before is None or (before.visit, before.case_temp_c) != (corner.visit, corner.case_temp_c)
        self._standing = None
        if moved:
            self.reach_temperature(corner.case_temp_c, noted)
        self._require_supply_as_set()
        supply_stands = not moved and before is not None and before.vcc_v == corner.vcc_v
        reading = self.read_connector() if supply_stands else None
        if reading is None or abs(reading.voltage_v - corner.vcc_v) > bench.spec.supply.tolerance_v:
            reading = self.set_vcc(corner.vcc_v)
        case_c = bench.case_sensor.read_case_c()
        if abs(case_c - corner.case_temp_c) > 2.0 * bench.spec.thermal.window_c:
            raise NotSettledError(
                "case_sensor",
                f"the thermal source says at temperature, but the case is at {case_c:.1f} C; "
                f"expected {corner.case_temp_c:g} C",
                advice="Check that the sensor touches the case.",
            )
        self._standing = corner
        settling_s = bench.clock.now_s() - start_s
        return Conditions(corner, case_c, reading.voltage_v, moved, settling_s, reading.power_w)


def _not_there(reading: ConnectorReading, vcc_v: float, allowed_v: float, seen: str = "") -> NotSettledError:
    explained = f" ({seen})" if seen else ""
    return NotSettledError(
        "power_supply",
        f"the module's connector is at {reading.voltage_v:z.3f} V with {reading.current_a:z.2f} A, "
        f"expected {vcc_v:.3f} V within {allowed_v:.3f} V{explained}",
        advice="Check the supply's current limit and protection against what the module draws, the sense "
        "leads, and lead resistance and settling time in the bench file.",
    )
