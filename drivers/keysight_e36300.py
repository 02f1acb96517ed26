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

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._overcurrent_protection = option(self._options, "overcurrent_protection", False, instrument=name)
        self._overvoltage_v: dict[int, float] = {}

    def configure_output(
        self, channel: int, *, current_limit_a: float, overvoltage_v: float, remote_sense: bool
    ) -> None:
        """Current limit, over-voltage protection and sense wiring of an output; all read back but the sense.

        :raises OutOfRangeError: when a value is outside the output's range; nothing was sent.
        :raises InstrumentError: when the output is on.
        :raises InstrumentReportedError: when the supply refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        voltage_v, current_a = self._rating(channel)
        self._within(current_limit_a, 0.0, current_a, f"output {channel}: current limit", "A")
        self._within(
            overvoltage_v, 0.0, voltage_v * self.overvoltage_headroom, f"output {channel}: over-voltage", "V"
        )
        if self.output_is_on(channel):
            raise InstrumentError(
                self._name,
                f"output {channel} is on: its limits and sense are set while it is off; nothing was sent",
                advice="Turn it off first.",
            )
        at = f"(@{channel})"
        self._session.command(f"CURR {current_limit_a:.4f},{at}")
        self._session.command(f"VOLT:PROT {overvoltage_v:.4f},{at}")
        self._session.command(f"CURR:PROT:STAT {'ON' if self._overcurrent_protection else 'OFF'},{at}")
        self._session.command(f"VOLT:SENS {'EXT' if remote_sense else 'INT'},{at}")
        self._must_be(f"CURR? {at}", current_limit_a, 2e-3)
        self._must_be(f"VOLT:PROT? {at}", overvoltage_v, 2e-2)
        self._overvoltage_v[channel] = overvoltage_v

    def set_voltage_v(self, channel: int, voltage_v: float) -> None:
        """Set the output voltage, read the setting back, and wait ``settling_s``.

        :raises OutOfRangeError: when it is outside the output's range, or not below the over-voltage
            protection that :meth:`configure_output` set.
        """
        highest_v, _ = self._rating(channel)
        self._within(voltage_v, 0.0, highest_v, f"output {channel}: voltage", "V")
        overvoltage_v = self._overvoltage_v.get(channel)
        if overvoltage_v is not None and voltage_v >= overvoltage_v:
            raise OutOfRangeError(
                self._name,
                f"output {channel}: {voltage_v:g} V is not below its over-voltage protection "
                f"({overvoltage_v:g} V); nothing was sent",
            )
        self._session.command(f"VOLT {voltage_v:.4f},(@{channel})")
        self._must_be(f"VOLT? (@{channel})", voltage_v, 2e-3)
        self._clock.sleep(self.settling_s)

    def set_output(self, channel: int, *, on: bool) -> None:
        """Turn an output on or off, wait ``settling_s``, and read it back.

        :raises ProtectionTrippedError: when protection keeps it off.
        :raises InstrumentError: when it is not as asked for any other reason.
        """
        self._rating(channel)
        command = f"OUTP {'ON' if on else 'OFF'},(@{channel})"
        self._session.command(command)
        self._clock.sleep(self.settling_s)
        if on:
            self.check_protection(channel)
        if self.output_is_on(channel) is not on:
            raise InstrumentError(
                self._name,
                f"output {channel} is {'off' if on else 'on'} after it was turned {'on' if on else 'off'}",
                command=command,
            )

    def output_is_on(self, channel: int) -> bool:
        """Whether the output is on."""
        self._rating(channel)
        return self._session.query(f"OUTP? (@{channel})").boolean()

    def measure_voltage_v(self, channel: int) -> float:
        """Voltage at the sense points, V."""
        self._rating(channel)
        return self._session.query(f"MEAS:VOLT? (@{channel})").real()

    def measure_current_a(self, channel: int) -> float:
        """Output current, A."""
        self._rating(channel)
        return self._session.query(f"MEAS:CURR? (@{channel})").real()

    def check_protection(self, channel: int) -> None:
        """Return when no protection of the output has tripped.

        :raises ProtectionTrippedError: when one has.
        """
        self._rating(channel)
        for quantity, protection in (("VOLT", "over-voltage"), ("CURR", "over-current")):
            query = f"{quantity}:PROT:TRIP? (@{channel})"
            if self._session.query(query).boolean():
                raise ProtectionTrippedError(self._name, channel, protection, command=query)

    def clear_protection(self, channel: int) -> None:
        """Clear tripped protection; the output stays off until it is turned on."""
        self._rating(channel)
        self._session.command(f"OUTP OFF,(@{channel})")
        self._session.command(f"OUTP:PROT:CLE (@{channel})")

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

    def _rating(self, channel: int) -> tuple[float, float]:
        if channel not in self.ratings:
            raise OutOfRangeError(self._name, f"it has outputs 1 to {len(self.ratings)}, not {channel}")
        return self.ratings[channel]

    def _must_be(self, query: str, wanted: float, tolerance: float) -> None:
        reply = self._session.query(query)
        if abs(reply.real() - wanted) > tolerance:
            raise reply.garbled(f"not the {wanted:g} that was set: it reads back otherwise")
