"""Temptronic (inTEST) ATS-5xx ThermoStream air-forcing systems.

Never run on hardware by this project. From the TP04300 manual and in agreement with public drivers:
``SETN``, ``SETP``, ``WNDW``, ``SOAK``, ``RAMP``, ``FLWR?``, ``LLIM``, ``ULIM``, ``ADMD``, ``DUTM``,
``DSNS``, ``HEAD``, ``FLOW``, ``TEMP?``, ``TECR?``, ``EROR?``, ``CLER``, ``RSTO`` and its 4 s of dead time.
From public drivers only: ``TMPA?``, ``TMPD?``, and that hot begins at 30 C and cold ends at 20 C.
Uncertain: that ``*ESR?`` tells of refused commands as IEEE 488.2 has it, that it answers ``*STB?`` (without
it a session cannot be resynchronised), the temperature range, that a DUT sensor which is missing reads
above 400 as ``TEMP?`` does, and that ``RAMP`` is kept for each set point with
9999 C/min for "as fast as it can".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drivers.clock import Clock, wait_until
from drivers.errors import (
    BenchError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NotSettledError,
)
from drivers.interfaces import Controlled, Identity, SafetyStep
from drivers.replies import Reply
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Prepared, Setting, Switch, Whole, set_all

__all__ = ["Ats545", "ThermalFaultError"]

_INVALID_ABOVE_C = 400.0
_SENSORS = {"t": 1, "k": 2}
_REFUSED = 0b0011_0100  # *ESR?: query, execution and command error
_FAULTS: Mapping[int, str] = {
    0: "overheat",
    1: "air temperature loop is open",
    3: "low flow",
    4: "low pressure of the input air",
    5: "air sensor open",
    7: "internal error",
    9: "flow sensor",
    10: "no line sense",
    11: "non-volatile memory",
    12: "battery-backed memory",
    14: "no DUT sensor",
}


class ThermalFaultError(InstrumentError):
    """The thermal source reports a fault of its own. Attribute ``bits``: its ``EROR?`` register."""

    def __init__(self, instrument: str, bits: int) -> None:
        self.bits = bits
        known = [text for bit, text in _FAULTS.items() if bits >> bit & 1]
        super().__init__(
            instrument,
            f"it reports {', '.join(known) or 'a fault without a name'}",
            command="EROR?",
            reply=bits,
            advice="Check its compressed air and the sensor on the module, then clear_faults().",
        )


class Ats545(ScpiInstrument):
    """An ATS-545 that controls the temperature of the module's case through a sensor attached to it.

    Options: ``dut_sensor`` (``"t"`` or ``"k"``: thermocouple type, default ``"t"``), ``lowest_air_c`` and
    ``highest_air_c`` (air limits, defaults -40 and 85: what an unpowered module is commonly stored at),
    ``air_to_dut_limit_c`` (largest difference of air and case, default 50).
    Serves the roles ``thermal`` and ``case_sensor``. Never run on hardware by this project.
    """

    model_pattern = r"(?i)(?:ATS|TP)[- ]?0?[0-9]{3,5}.*"
    model_shown = "Temptronic ATS-545"
    error_query: ClassVar[str | None] = None

    dead_time_s: ClassVar[float] = 4.5
    """Waited after ``RSTO``: the 4 s for which it takes no command (TP04300 manual) and half a second."""
    ambient_c: ClassVar[float] = 25.0
    """What :meth:`make_safe` commands."""
    fastest_c_per_min: ClassVar[float] = 9999.0
    """Always set: a ramp that someone left in the instrument stays there, and can take hours."""
    head_limit_s: ClassVar[float] = 20.0
    """How long its head may take to come down, before it reads back so (an assumption)."""
    flow_limit_s: ClassVar[float] = 3.0
    """How long :meth:`make_safe` waits for air to flow."""
    condition_delay_s: ClassVar[float] = 2.0
    """A new set point may take this long to show in the condition register (an assumption)."""
    hot_from_c: ClassVar[float] = 30.0
    cold_to_c: ClassVar[float] = 20.0

    def _set_point_range_c(self) -> tuple[float, float]:
        return self.temperature_range_c

    lower_limit_c = Setting(
        "LLIM {value:.1f}", Number("C", (-99.0, 25.0), tolerance=0.06), "The coldest that the air may be."
    )
    upper_limit_c = Setting(
        "ULIM {value:.1f}", Number("C", (25.0, 225.0), tolerance=0.06), "The hottest that the air may be."
    )
    air_to_dut_c = Setting(
        "ADMD {value:.0f}", Number("C", (10.0, 300.0), tolerance=0.6), "Largest difference of air and case."
    )
    sensor = Setting("DSNS {value}", Whole("1", (0, 4)), "Kind of sensor on the module: 1 type T, 2 type K.")
    case_control = Setting(
        "DUTM {value}", Switch("0", "1"), "Whether the case follows the set point; else the air does."
    )
    set_point_number = Setting("SETN {value}", Whole("1", (0, 17)), "Set point: 0 hot, 1 ambient, 2 cold.")
    ramp_c_per_min = Setting(
        "RAMP {value:.0f}", Number("C/min", (0.0, 9999.0), tolerance=0.6), "How fast its set point moves."
    )
    set_point_c = Setting(
        "SETP {value:.1f}", Number("C", _set_point_range_c, tolerance=0.06), "What is to be reached."
    )
    window_c = Setting(
        "WNDW {value:.1f}", Number("C", (0.1, 9.9), tolerance=0.06), "How near the set point counts as there."
    )
    soak_s = Setting(
        "SOAK {value:.0f}", Number("s", (0.0, 9999.0), tolerance=0.6), "How long it is to stay there."
    )
    head_is_down = Setting("HEAD {value}", Switch("0", "1"), "Whether its head is on the module.")
    air_flows = Setting(
        "FLOW {value}", Switch("0", "1"), "Whether air flows.", unread="the rate of the air tells it (FLWR?)"
    )

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        sensor = option(self._options, "dut_sensor", "t", instrument=name).lower()
        if sensor not in _SENSORS:
            raise BenchError(
                f"{name}: option 'dut_sensor' must be 't' or 'k', got {sensor!r} in the bench file"
            )
        self._sensor = _SENSORS[sensor]
        self._sensor_selected = False
        self._old_visit_until_s: float | None = None
        self._lowest_air_c = option(self._options, "lowest_air_c", -40.0, instrument=name)
        self._highest_air_c = option(self._options, "highest_air_c", 85.0, instrument=name)
        self._air_to_dut_limit_c = option(self._options, "air_to_dut_limit_c", 50.0, instrument=name)
        if not (
            -99.0 <= self._lowest_air_c <= 25.0 <= self._highest_air_c <= 225.0
            and 10.0 <= self._air_to_dut_limit_c <= 300.0
        ):
            raise BenchError(
                f"{name}: lowest_air_c takes -99 to 25, highest_air_c 25 to 225, air_to_dut_limit_c 10 to 300"
            )

    @property
    def controls(self) -> Controlled:
        """The module's case: :meth:`start_setpoint_c` turns case control on."""
        return "case"

    @property
    def temperature_range_c(self) -> tuple[float, float]:
        """Lowest and highest set point, Celsius: the air limits of the bench file."""
        return (self._lowest_air_c, self._highest_air_c)

    def connect(self) -> Identity:
        """Probe, check the model, go to the operator screen (4 s of dead time), clear status and faults. It
        may take no settings on another screen (an assumption).

        :raises WrongIdentityError: when another model answers.
        :raises ThermalFaultError: when a fault remains after clearing.
        """
        self._sensor_selected = False
        identity = super().connect()
        self._session.command("RSTO")
        self._clock.sleep(self.dead_time_s)
        self._session.query("*ESR?")
        self.clear_faults()
        return identity

    def start_setpoint_c(self, temperature_c: float, *, window_c: float, soak_s: float) -> None:
        """Begin to bring the case to ``temperature_c``: limits, sensor, set point, no ramp, window, soak,
        read back; then head down, waited for; then air on, which is not read back here.

        :raises OutOfRangeError: set point outside :attr:`temperature_range_c`, window outside 0.1 to 9.9 C,
            soak outside 0 to 9999 s; nothing was sent.
        :raises InstrumentReportedError: when it refuses one of the commands.
        :raises GarbledReplyError: when what is read back is not what was set; no air was turned on.
        :raises NotSettledError: when the head is not down within ``head_limit_s``; no air was turned on.
        :raises ThermalFaultError: when it reports a fault.
        """
        head, air = self.head_is_down.to(True), self.air_flows.to(True)
        self._command_all(
            self.lower_limit_c.to(self._lowest_air_c),
            self.upper_limit_c.to(self._highest_air_c),
            self.air_to_dut_c.to(self._air_to_dut_limit_c),
            self.sensor.to(self._sensor),
            self.case_control.to(True),
            self.set_point_number.to(self._set_point_number(temperature_c)),
            self.ramp_c_per_min.to(self.fastest_c_per_min),
            self.set_point_c.to(temperature_c),
            self.window_c.to(window_c),
            self.soak_s.to(soak_s),
        )
        self._sensor_selected = True
        head.send()
        wait_until(
            self._clock,
            self.head_is_down,
            timeout_s=self.head_limit_s,
            interval_s=0.5,
            error=lambda: NotSettledError(
                self._name,
                f"its head is not down {self.head_limit_s:g} s after it was told to be; no air was turned on",
                command=head.command,
                advice="Is something in its way, or is it locked? Its front panel may say.",
            ),
        )
        air.send()
        self._old_visit_until_s = self._clock.now_s() + max(soak_s, self.condition_delay_s)
        self.check_faults()

    def at_temperature(self) -> bool:
        """Whether the case has stayed in the window for the soak time: bit 0 of ``TECR?``, which is live.

        Right after :meth:`start_setpoint_c` the bit may still be the last set point's: it counts once it was
        seen low, or when the soak time has passed.

        :raises ThermalFaultError: when it reports a fault: it would never get there.
        """
        self.check_faults()
        reached = bool(self._session.query("TECR?").integer(0, 255) & 1)
        if not reached:
            self._old_visit_until_s = None
        elif self._old_visit_until_s is not None and self._clock.now_s() < self._old_visit_until_s:
            return False
        return reached

    def read_air_c(self) -> float:
        """Air temperature at the nozzle, Celsius."""
        return self._temperature_c("TMPA?")

    def read_case_c(self) -> float:
        """Temperature of the sensor on the module's case, Celsius. Where another source makes the
        temperature and this one is the sensor alone, nothing but the first reading selects the sensor; the
        choice is read back.

        :raises InvalidReadingError: when the sensor is open.
        :raises InstrumentReportedError: when it refuses the choice of sensor.
        :raises GarbledReplyError: when another sensor reads back.
        """
        if not self._sensor_selected:
            self._command_all(self.sensor.to(self._sensor))
            self._sensor_selected = True
        return self._temperature_c("TMPD?")

    def check_faults(self) -> None:
        """Return when it reports no fault.

        :raises ThermalFaultError: when it does.
        """
        bits = self._session.query("EROR?").integer(0, 0xFFFF)
        if bits:
            raise ThermalFaultError(self._name, bits)

    def clear_faults(self) -> None:
        """Clear its fault register and see whether a fault comes back.

        :raises ThermalFaultError: when one does.
        """
        self._session.command("CLER")
        self.check_faults()

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """It has no error queue: the bits of its fault register (as value and text), which is then cleared.
        A fault that persists comes back.
        """
        bits = self._session.query("EROR?").integer(0, 0xFFFF)
        if bits:
            self._session.command("CLER")
        return tuple(
            (1 << bit, _FAULTS.get(bit, "a fault without a name")) for bit in range(16) if bits >> bit & 1
        )

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Command ambient air: air control, set point 25 C, air on; at once, blind, and then again with
        every command's refusal looked for. Read back: air control, set point, flow, air temperature. What
        was refused or reads back otherwise is told, and is not safe.

        The air stays on on purpose: dry air at ambient brings a hot module down and a cold one up without
        dew, which a stopped stream does not. Air control, not case control: a sensor that fell off must
        not drive the air to its limits. Whoever is at the bench lifts the head.
        """
        action = "air to ambient"
        commands = ("DUTM 0", "SETN 1", f"SETP {self.ambient_c:.1f}", "FLOW 1")
        told = self._tell_blind_first(*commands)
        if told:
            return (SafetyStep(action, told, safe=False),)
        try:
            self._session.query("*ESR?")
            for command in commands:
                self.tell(command)
            case_control = self.case_control()
            number = self.set_point_number()
            set_c = self.set_point_c()
            flow = self._flow()
            air_c = self.read_air_c()
        except InstrumentError as fault:
            return (SafetyStep(action, str(fault), safe=False),)
        safe = not case_control and number == 1 and abs(set_c - self.ambient_c) < 0.06 and flow > 0.0
        read_back = (
            f"{'case' if case_control else 'air'} control, set point {number}: {set_c:.1f} C, "
            f"flow {flow:g}, air {air_c:.1f} C"
        )
        return (SafetyStep(action, read_back, safe=safe),)

    def _flow(self) -> float:
        """Rate of the main air flow (its unit is a setting of the instrument), waited for."""
        deadline_s = self._clock.now_s() + self.flow_limit_s
        while True:
            flow = self._session.query("FLWR?").real()
            if flow > 0.0 or self._clock.now_s() >= deadline_s:
                return flow
            self._clock.sleep(0.5)

    def _set_point_number(self, temperature_c: float) -> int:
        if temperature_c >= self.hot_from_c:
            return 0
        return 2 if temperature_c <= self.cold_to_c else 1

    def tell(self, command: str) -> None:
        """Send one setting, and look into the event status register whether it was refused.

        :raises InstrumentReportedError: when it was.
        """
        self._session.command(command)
        status = self._session.query("*ESR?").integer(0, 255)
        if status & _REFUSED:
            raise InstrumentReportedError(
                self._name, command, ((status, "command refused (event status register)"),)
            )

    def _command_all(self, *settings: Prepared) -> None:
        self._session.query("*ESR?")  # reading clears it: what was there is none of these settings'
        set_all(*settings)

    def _temperature_c(self, query: str) -> float:
        reply: Reply = self._session.query(query)
        value_c = reply.real()
        if value_c > _INVALID_ABOVE_C:
            raise InvalidReadingError(
                self._name,
                "no valid temperature",
                command=query,
                reply=reply.text,
                advice="Check the sensor on the module and the option dut_sensor.",
            )
        if value_c < -273.15:
            raise reply.garbled("below absolute zero")
        return value_c
