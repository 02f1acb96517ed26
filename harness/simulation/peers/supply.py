"""Simulated Keysight E36312A triple-output power supply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.simulation.ports import Rail
from harness.simulation.scpi_tree import After, Call, ScpiError, ScpiPeer
from harness.simulation.world import Event, World

__all__ = ["OpenRail", "SupplyPeer"]

_RATINGS = {1: (6.0, 5.0), 2: (25.0, 1.0), 3: (25.0, 1.0)}
_ABOVE_RATING = 1.03  # settable range over the rating
_PROTECTION_ABOVE_RATING = 1.1

# Largest errors of an output, (relative, absolute); the data sheet's order, from memory.
_PROGRAM_V = (3e-4, 3e-3)
_PROGRAM_A = (1e-3, 3e-3)
_READ_V = (4e-4, 3e-3)
_READ_A = (2e-3, 1e-3)
_NOISE_V = 2e-4
_NOISE_A = 1e-4

_SETTLING_S = 0.02
_MEASURING_S = 0.02
_OVERCURRENT_DELAY_S = 0.05


class OpenRail:
    """Nothing at the end of an output's leads."""

    def __init__(self) -> None:
        self._voltage_v = 0.0

    def set_source(self, *, voltage_v: float, on: bool, current_limit_a: float, remote_sense: bool) -> None:
        """The regulator's state."""
        self._voltage_v = voltage_v if on else 0.0

    def sense_voltage_v(self) -> float:
        """The regulator's voltage."""
        return self._voltage_v

    def current_a(self) -> float:
        """None flows."""
        return 0.0

    def current_limited(self) -> bool:
        """Never."""
        return False


@dataclass
class _Output:
    number: int
    rail: Rail
    volts: float
    amperes: float
    voltage_v: float = 0.0
    current_a: float = 0.0
    overvoltage_v: float = 0.0
    overcurrent: bool = False
    remote_sense: bool = False
    on: bool = False
    tripped: set[str] = field(default_factory=set)
    limited_since_ns: int | None = None
    watch: Event | None = field(default=None, repr=False)


class SupplyPeer(ScpiPeer):
    """Three outputs over ``rails`` (output number to rail; an output without one is open).

    Programming and readback have errors of their own, drawn once per output within the data sheet's
    order of size. A change reaches the output after 20 ms. Over-voltage protection acts on the sensed
    voltage, over-current protection on constant-current operation that lasts 50 ms.
    """

    def __init__(
        self, world: World, rails: Mapping[int, Rail], *, role: str, serial: str = "SIM0003"
    ) -> None:
        super().__init__(
            world, role=role, identity=f"Keysight Technologies,E36312A,{serial},2.1.0-1.0.4 simulated"
        )
        self._serial = serial
        self._outputs = {
            number: _Output(
                number,
                rails.get(number) or OpenRail(),
                volts,
                amperes,
                current_a=amperes,
                overvoltage_v=volts * _PROTECTION_ABOVE_RATING,
            )
            for number, (volts, amperes) in _RATINGS.items()
        }
        self._declare()

    def _declare(self) -> None:
        source = "[:SOURce]:{}[:LEVel][:IMMediate][:AMPLitude]"
        self.setting(source.format("VOLTage"), self._set_voltage)
        self.query(source.format("VOLTage"), self._each(lambda output: f"{output.voltage_v:+.8E}"))
        self.setting(source.format("CURRent"), self._set_current)
        self.query(source.format("CURRent"), self._each(lambda output: f"{output.current_a:+.8E}"))
        self.setting("[:SOURce]:VOLTage:PROTection[:LEVel]", self._set_overvoltage)
        self.query("[:SOURce]:VOLTage:PROTection[:LEVel]", self._each(lambda o: f"{o.overvoltage_v:+.8E}"))
        self.query(
            "[:SOURce]:VOLTage:PROTection:TRIPped", self._each(lambda o: _flag("voltage" in o.tripped))
        )
        self.setting("[:SOURce]:CURRent:PROTection:STATe", self._set_overcurrent)
        self.query("[:SOURce]:CURRent:PROTection:STATe", self._each(lambda o: _flag(o.overcurrent)))
        self.query(
            "[:SOURce]:CURRent:PROTection:TRIPped", self._each(lambda o: _flag("current" in o.tripped))
        )
        self.setting("[:SOURce]:VOLTage:SENSe[:SOURce]", self._set_sense)
        self.query(
            "[:SOURce]:VOLTage:SENSe[:SOURce]", self._each(lambda o: "EXT" if o.remote_sense else "INT")
        )
        self.setting("OUTPut[:STATe]", self._set_state)
        self.query("OUTPut[:STATe]", self._each(lambda output: _flag(output.on)))
        self.setting("OUTPut:PROTection:CLEar", self._clear_protection)
        self.query("MEASure[:SCALar]:VOLTage[:DC]", self._measure_voltage)
        self.query("MEASure[:SCALar]:CURRent[:DC]", self._measure_current)
        self.setting("APPLy", self._apply_both)

    def reset(self) -> None:
        """``*RST``: all outputs off, at zero volts, protection at its highest."""
        for output in self._outputs.values():
            output.on, output.voltage_v, output.current_a = False, 0.0, output.amperes
            output.overvoltage_v = output.volts * _PROTECTION_ABOVE_RATING
            output.overcurrent = output.remote_sense = False
            output.tripped.clear()
            self._drive(output)

    # -- the outputs -------------------------------------------------------------------------------

    def _draw(self, output: _Output, what: str) -> float:
        """A number within -1 .. 1 that belongs to this instrument."""
        return 2.0 * self.world.noise.uniform(self.role, self._serial, output.number, what) - 1.0

    def _off_by(self, output: _Output, what: str, value: float, errors: tuple[float, float]) -> float:
        relative, absolute = errors
        gain, offset = self._draw(output, f"{what} gain"), self._draw(output, f"{what} offset")
        return value * (1.0 + relative * gain) + absolute * offset

    def _drive(self, output: _Output) -> None:
        on = output.on
        voltage_v = (
            self._off_by(output, "program V", output.voltage_v, _PROGRAM_V) if output.voltage_v else 0.0
        )
        limit_a = self._off_by(output, "program A", output.current_a, _PROGRAM_A)
        output.rail.set_source(
            voltage_v=max(0.0, voltage_v),
            on=on,
            current_limit_a=max(0.0, limit_a),
            remote_sense=output.remote_sense,
        )
        self._protect(output)

    def _change(self, output: _Output) -> None:
        if output.on:
            self.begin_operation(_SETTLING_S, lambda: self._drive(output))
        else:
            self._drive(output)

    def _protect(self, output: _Output) -> None:
        """Trip what has to trip; watch on while over-current protection could."""
        if output.watch is not None:
            output.watch.cancel()
            output.watch = None
        if not output.on:
            output.limited_since_ns = None
            return
        if output.rail.sense_voltage_v() > output.overvoltage_v:
            self._trip(output, "voltage")
            return
        if not output.overcurrent:
            return
        if not output.rail.current_limited():
            output.limited_since_ns = None
        elif output.limited_since_ns is None:
            output.limited_since_ns = self.world.now_ns
        elif self.world.now_ns - output.limited_since_ns >= _OVERCURRENT_DELAY_S * 1e9:
            self._trip(output, "current")
            return
        output.watch = self.world.after(_OVERCURRENT_DELAY_S, lambda: self._protect(output))

    def _trip(self, output: _Output, quantity: str) -> None:
        output.tripped.add(quantity)
        output.on = False
        output.limited_since_ns = None
        self._drive(output)

    # -- commands ----------------------------------------------------------------------------------

    def _chosen(self, call: Call) -> tuple[_Output, ...]:
        numbers = call.channels() if call.has_more else (1,)
        call.end()
        if not numbers or any(number not in self._outputs for number in numbers):
            raise ScpiError(-222)
        return tuple(self._outputs[number] for number in numbers)

    def _each(self, shown: Callable[[_Output], str]) -> Callable[[Call], str]:
        def handler(call: Call) -> str:
            return ",".join(shown(output) for output in self._chosen(call))

        return handler

    def _level(self, call: Call, unit: str) -> tuple[float, tuple[_Output, ...]]:
        """A level and the outputs it is for; -222 when it is outside the range of one of them."""
        text = call.raw()
        outputs = self._chosen(call)
        value = 0.0
        for output in outputs:
            highest = (output.volts if unit == "V" else output.amperes) * _ABOVE_RATING
            value = Call("", (), [text]).number(unit=unit, minimum=0.0, maximum=highest)
        return value, outputs

    def _set_voltage(self, call: Call) -> None:
        voltage_v, outputs = self._level(call, "V")
        for output in outputs:
            output.voltage_v = voltage_v
            self._change(output)

    def _set_current(self, call: Call) -> None:
        current_a, outputs = self._level(call, "A")
        for output in outputs:
            output.current_a = current_a
            self._change(output)

    def _apply_both(self, call: Call) -> None:
        channel = call.choice("CH1", "CH2", "CH3")
        output = self._outputs[int(channel[2:])]
        voltage_v = call.number(unit="V", minimum=0.0, maximum=output.volts * _ABOVE_RATING)
        current_a = (
            call.number(unit="A", minimum=0.0, maximum=output.amperes * _ABOVE_RATING)
            if call.has_more
            else output.current_a
        )
        call.end()
        output.voltage_v, output.current_a = voltage_v, current_a
        self._change(output)

    def _set_overvoltage(self, call: Call) -> None:
        text = call.raw()
        outputs = self._chosen(call)
        for output in outputs:
            highest_v = output.volts * _PROTECTION_ABOVE_RATING
            output.overvoltage_v = Call("", (), [text]).number(unit="V", minimum=0.0, maximum=highest_v)
            self._protect(output)

    def _set_overcurrent(self, call: Call) -> None:
        on = call.boolean()
        for output in self._chosen(call):
            output.overcurrent = on
            self._protect(output)

    def _set_sense(self, call: Call) -> None:
        remote = call.choice("INTernal", "EXTernal") == "EXT"
        for output in self._chosen(call):
            output.remote_sense = remote
            self._drive(output)

    def _set_state(self, call: Call) -> None:
        on = call.boolean()
        for output in self._chosen(call):
            if on and output.tripped:
                raise ScpiError(-221, "Settings conflict; protection has tripped")
            output.on = on
            if on:
                self.begin_operation(_SETTLING_S, lambda output=output: self._drive(output))  # type: ignore[misc]
            else:
                self._drive(output)

    def _clear_protection(self, call: Call) -> None:
        for output in self._chosen(call):
            output.tripped.clear()

    def _measure_voltage(self, call: Call) -> After:
        outputs = self._chosen(call)

        def done() -> str:
            return ",".join(
                self._measured(output, "V", output.rail.sense_voltage_v(), _READ_V, _NOISE_V)
                for output in outputs
            )

        return After(_MEASURING_S, done)

    def _measure_current(self, call: Call) -> After:
        outputs = self._chosen(call)

        def done() -> str:
            return ",".join(
                self._measured(output, "A", output.rail.current_a(), _READ_A, _NOISE_A) for output in outputs
            )

        return After(_MEASURING_S, done)

    def _measured(
        self, output: _Output, unit: str, value: float, errors: tuple[float, float], noise: float
    ) -> str:
        drawn = self.world.noise.normal(self.role, output.number, self.world.now_ns, unit)
        return f"{self._off_by(output, f'read {unit}', value, errors) + noise * drawn:+.8E}"


def _flag(value: bool) -> str:
    return "1" if value else "0"
