"""Keysight E36312A triple-output power supply (E36300 series).

Never run on hardware by this project. All commands are from Keysight's E36300 series programming guide
(E36311-90008): ``VOLT``, ``CURR``, ``OUTP``, ``MEAS:VOLT?``, ``MEAS:CURR?``, ``VOLT:PROT``,
``CURR:PROT:STAT``, ``OUTP:PROT:CLE``, ``VOLT:PROT:TRIP?``, ``VOLT:SENS``, each with a channel list.
Uncertain: ``CURR:PROT:TRIP?`` (taken by analogy), the settling time, and the over-voltage range.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import InstrumentError, OutOfRangeError
from drivers.interfaces import SafetyStep
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Reading, Setting, Switch, Words, set_all

__all__ = ["E36312A", "ProtectionTrippedError"]


class ProtectionTrippedError(InstrumentError):
    """The supply has switched an output off to protect what hangs on it. Attribute ``protection``:
    ``over-voltage`` or ``over-current``.
    """

    def __init__(self, instrument: str, channel: int, protection: str, *, command: str) -> None:
        self.channel = channel
        self.protection = protection
        super().__init__(
            instrument,
            f"output {channel}: {protection} protection has tripped, the output is off",
            command=command,
            advice="Find the cause, then clear_protection() and turn it on again.",
        )


class E36312A(ScpiInstrument):
    """Output 1 gives 6 V and 5 A, outputs 2 and 3 give 25 V and 1 A.

    Option ``overcurrent_protection`` (default false): switch the output off when the current limit is
    reached, instead of holding the current and letting the voltage fall.
    Never run on hardware by this project.
    """

    model_pattern = r"E36312A"
    model_shown = "Keysight E36312A"

    ratings: ClassVar[Mapping[int, tuple[float, float]]] = {1: (6.0, 5.0), 2: (25.0, 1.0), 3: (25.0, 1.0)}
    """Volts and amperes of each output (E36300 programming guide)."""
    overvoltage_headroom: ClassVar[float] = 1.1
    """Highest over-voltage setting as a multiple of the rated voltage (uncertain)."""
    settling_s: ClassVar[float] = 0.1
    """Waited after a change of voltage or output state (uncertain; data sheets give below 50 ms)."""
    discharge_limit_s: ClassVar[float] = 3.0
    """How long :meth:`make_safe` waits for an output's capacitors to discharge."""
    safe_below_v: ClassVar[float] = 0.5
    """A voltage below which nothing in a module lases."""

    def _voltage_range_v(self, channel: int) -> tuple[float, float]:
        return (0.0, self.ratings[channel][0])

    def _current_range_a(self, channel: int) -> tuple[float, float]:
        return (0.0, self.ratings[channel][1])

    def _overvoltage_range_v(self, channel: int) -> tuple[float, float]:
        return (0.0, self.ratings[channel][0] * self.overvoltage_headroom)

    voltage_v = Setting(
        "VOLT {value:.4f},(@{at})",
        Number("V", limits_of=_voltage_range_v, tolerance=2e-3),
        "Voltage of an output, as set.",
    )
    current_limit_a = Setting(
        "CURR {value:.4f},(@{at})",
        Number("A", limits_of=_current_range_a, tolerance=2e-3),
        "Current at which an output limits.",
    )
    overvoltage_v = Setting(
        "VOLT:PROT {value:.4f},(@{at})",
        Number("V", limits_of=_overvoltage_range_v, tolerance=2e-2),
        "Voltage at which over-voltage protection switches an output off.",
    )
    overcurrent_protection = Setting(
        "CURR:PROT:STAT {value},(@{at})",
        Switch("OFF", "ON"),
        "Whether an output is switched off at its current limit.",
    )
    sense = Setting(
        "VOLT:SENS {value},(@{at})",
        Words("INTernal", "EXTernal"),
        "Where an output's voltage is sensed: at its terminals, or by wires of their own.",
    )
    output_is_on = Setting("OUTP {value},(@{at})", Switch("OFF", "ON"), "Whether an output is on.")
    measure_voltage_v = Reading(
        "MEAS:VOLT? (@{at})", Number("V", (-30.0, 30.0)), "Voltage at the sense points."
    )
    measure_current_a = Reading("MEAS:CURR? (@{at})", Number("A", (-10.0, 10.0)), "Current of an output.")
    overvoltage_tripped = Reading(
        "VOLT:PROT:TRIP? (@{at})", Switch("0", "1"), "Whether over-voltage protection has tripped."
    )
    overcurrent_tripped = Reading(
        "CURR:PROT:TRIP? (@{at})", Switch("0", "1"), "Whether over-current protection has tripped."
    )

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._overcurrent_protection = option(self._options, "overcurrent_protection", False, instrument=name)
        self._overvoltages_v: dict[int, float] = {}

    def configure_output(
        self, channel: int, *, current_limit_a: float, overvoltage_v: float, remote_sense: bool
    ) -> None:
        """Current limit, over-voltage and over-current protection and sense wiring of an output; all of it
        is read back.

        :raises OutOfRangeError: when a value is outside the output's range; nothing was sent.
        :raises InstrumentError: when the output is on.
        :raises InstrumentReportedError: when the supply refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        wanted = (
            self.current_limit_a.to(current_limit_a, channel),
            self.overvoltage_v.to(overvoltage_v, channel),
            self.overcurrent_protection.to(self._overcurrent_protection, channel),
            self.sense.to("EXT" if remote_sense else "INT", channel),
        )
        if self.output_is_on(channel):
            raise InstrumentError(
                self._name,
                f"output {channel} is on: its limits and sense are set while it is off; nothing was sent",
                advice="Turn it off first.",
            )
        set_all(*wanted)
        self._overvoltages_v[channel] = overvoltage_v

    def set_voltage_v(self, channel: int, voltage_v: float) -> None:
        """Set the output voltage, read the setting back, and wait ``settling_s``.

        :raises OutOfRangeError: when it is outside the output's range, or not below the over-voltage
            protection that :meth:`configure_output` set.
        """
        wanted = self.voltage_v.to(voltage_v, channel)
        overvoltage_v = self._overvoltages_v.get(channel)
        if overvoltage_v is not None and voltage_v >= overvoltage_v:
            raise OutOfRangeError(
                self._name,
                f"output {channel}: {voltage_v:g} V is not below its over-voltage protection "
                f"({overvoltage_v:g} V); nothing was sent",
            )
        set_all(wanted)
        self._clock.sleep(self.settling_s)

    def set_output(self, channel: int, *, on: bool) -> None:
        """Turn an output on or off, wait ``settling_s``, and read it back.

        :raises ProtectionTrippedError: when protection keeps it off.
        :raises InstrumentError: when it is not as asked for any other reason.
        """
        wanted = self.output_is_on.to(on, channel)
        wanted.send()
        self._clock.sleep(self.settling_s)
        if on:
            self.check_protection(channel)
        if self.output_is_on(channel) is not on:
            raise InstrumentError(
                self._name,
                f"output {channel} is {'off' if on else 'on'} after it was turned {'on' if on else 'off'}",
                command=wanted.command,
            )

    def check_protection(self, channel: int) -> None:
        """Return when no protection of the output has tripped.

        :raises ProtectionTrippedError: when one has.
        """
        for tripped, protection in (
            (self.overvoltage_tripped, "over-voltage"),
            (self.overcurrent_tripped, "over-current"),
        ):
            reply, has_tripped = tripped.asked(channel)
            if has_tripped:
                raise ProtectionTrippedError(self._name, channel, protection, command=reply.command)

    def clear_protection(self, channel: int) -> None:
        """Clear tripped protection; the output stays off until it is turned on."""
        self.output_is_on.to(False, channel).send()
        self.tell(f"OUTP:PROT:CLE (@{channel})")

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Turn all outputs off at once, blind; then resynchronise, turn them off again and read back each
        one's state and voltage (waiting for it to discharge).
        """
        channels = tuple(self.ratings)
        command = f"OUTP OFF,(@{','.join(map(str, channels))})"
        told = self._tell_blind_first(command)
        if not told:
            try:
                self._session.command(command, check=False)
            except InstrumentError as fault:
                told = str(fault)
        if told:
            return tuple(SafetyStep(f"output {channel} off", told, safe=False) for channel in channels)
        return tuple(self._proof_of_off(channel) for channel in channels)

    def _proof_of_off(self, channel: int) -> SafetyStep:
        action = f"output {channel} off"
        try:
            deadline_s = self._clock.now_s() + self.discharge_limit_s
            while True:
                is_on = self.output_is_on(channel)
                voltage_v = self.measure_voltage_v(channel)
                if (not is_on and voltage_v < self.safe_below_v) or self._clock.now_s() >= deadline_s:
                    break
                self._clock.sleep(self.settling_s)
        except InstrumentError as fault:
            return SafetyStep(action, str(fault), safe=False)
        state = "on" if is_on else "off"
        return SafetyStep(
            action, f"{state}, {voltage_v:.3f} V", safe=not is_on and voltage_v < self.safe_below_v
        )

    def place_of(self, channel: int) -> str:
        """Its number in a channel list.

        :raises OutOfRangeError: when there is no such output.
        """
        if channel not in self.ratings:
            raise OutOfRangeError(self._name, f"it has outputs 1 to {len(self.ratings)}, not {channel}")
        return str(channel)
