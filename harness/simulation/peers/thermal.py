"""Simulated Temptronic ATS-545 air-forcing system."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from harness.simulation.ports import AirStream
from harness.simulation.scpi_tree import Call, Client, ScpiError, ScpiPeer
from harness.simulation.world import Event, World, ns_from_s

__all__ = ["ThermalPeer"]

CONTROL_PERIOD_S = 0.5
"""The grid on which the case loop works."""

_DEAD_TIME_S = 4.0
_AS_FAST_AS_IT_CAN_C_PER_MIN = 9999.0
_FLOW_RATE = 15.0
# WHAT? of an ATS-545.
_AT_POWER_UP = 63
_OPERATOR_SCREEN = 10
_INVALID_C = 999.9
_NO_SENSOR = 1 << 14
_AT_TEMPERATURE = 1
_NOT_AT_TEMPERATURE = 2

# The case loop: air set point = set point + gain * (error + integral of error / reset time).
_GAIN = 3.0
_RESET_TIME_S = 45.0


@dataclass
class _SetPoint:
    temperature_c: float
    window_c: float = 1.0
    soak_s: float = 30.0
    ramp_c_per_min: float = _AS_FAST_AS_IT_CAN_C_PER_MIN


class ThermalPeer(ScpiPeer):
    """Blows ``air`` at the module and, in DUT mode, steers it by a sensor on the module's case.

    The case loop is a PI controller on a grid of 0.5 s, limited by ``LLIM``, ``ULIM`` and ``ADMD``;
    the air itself follows at the rate that ``air`` limits, the set point at that of ``RAMP``. With the head
    up no air reaches the module, and the air over it is left to whoever else moves it. ``TECR?`` tells what
    the last step of the loop found (so for up to 0.5 s after a new set point it is the old one's); ``TESR?``
    is latched and cleared when read. For 4 s after ``RSTO`` and ``*RST`` everything received is lost.
    ``sensor_error_c`` is the largest error of the case sensor (one is drawn within it).
    """

    def __init__(
        self,
        world: World,
        air: AirStream,
        *,
        role: str,
        serial: str = "SIM0004",
        sensor_error_c: float = 0.3,
        sensor_connected: bool = True,
    ) -> None:
        super().__init__(
            world, role=role, identity=f"Temptronic,ATS-545-M,{serial},6.30 simulated", has_error_queue=False
        )
        self._air = air
        self._sensor_offset_c = sensor_error_c * (2.0 * world.noise.uniform(role, serial, "sensor") - 1.0)
        self.sensor_connected = sensor_connected
        self._deaf_until_ns = 0
        self._control: Event | None = None
        self._latched = 0
        self._blowing = False  # at the module
        self._power_up()
        self._declare()

    def _power_up(self) -> None:
        self._set_points = {0: _SetPoint(85.0), 1: _SetPoint(25.0), 2: _SetPoint(0.0)}
        self._number = 1
        self._lower_c, self._upper_c = -55.0, 125.0
        self._kept = {"TTIM": 1000.0, "DUTC": 100.0}
        self._air_to_dut_c = 50.0
        self._dut_mode = False
        self._sensor = 0
        self._head_down = False
        self._flowing = False
        self._faults = 0
        self._integral_c = 0.0
        self._in_window_since_ns: int | None = None
        self._reached = False
        self._ramped_c = self._set_point.temperature_c
        self._screen = _AT_POWER_UP

    @property
    def flowing(self) -> bool:
        """Whether air blows."""
        return self._flowing

    def _declare(self) -> None:
        self.setting("RSTO", self._to_operator_screen)
        self.query("WHAT", lambda _: str(self._screen))
        self.setting("SETN", self._select)
        self.query("SETN", lambda _: str(self._number))
        self.setting("SETP", self._set_temperature)
        self.query("SETP", lambda _: f"{self._set_point.temperature_c:.1f}")
        self.setting("WNDW", self._set_window)
        self.query("WNDW", lambda _: f"{self._set_point.window_c:.1f}")
        self.setting("SOAK", self._set_soak)
        self.query("SOAK", lambda _: f"{self._set_point.soak_s:.0f}")
        self.setting("RAMP", self._set_ramp)
        self.query("RAMP", lambda _: f"{self._set_point.ramp_c_per_min:g}")
        # What the loop here does without: the longest test, and the time constant of the device.
        for name, low, high in (("TTIM", 0.0, 9999.0), ("DUTC", 20.0, 500.0)):
            self.setting(name, functools.partial(self._keep, name, low, high))
            self.query(name, lambda _, name=name: f"{self._kept[name]:g}")  # type: ignore[misc]
        self.setting("LLIM", self._set_lower)
        self.query("LLIM", lambda _: f"{self._lower_c:.1f}")
        self.setting("ULIM", self._set_upper)
        self.query("ULIM", lambda _: f"{self._upper_c:.1f}")
        self.setting("ADMD", self._set_air_to_dut)
        self.query("ADMD", lambda _: f"{self._air_to_dut_c:.0f}")
        self.setting("DUTM", self._set_dut_mode)
        self.query("DUTM", lambda _: str(int(self._dut_mode)))
        self.setting("DSNS", self._set_sensor)
        self.query("DSNS", lambda _: str(self._sensor))
        self.setting("HEAD", self._set_head)
        self.query("HEAD", lambda _: str(int(self._head_down)))
        self.setting("FLOW", self._set_flow)
        self.query("FLWR", lambda _: f"{_FLOW_RATE if self._flowing else 0.0:.1f}")
        self.query("TEMP", lambda _: self._shown(self._controlled_c()))
        self.query("TMPA", lambda _: self._shown(self._air.air_temp_c()))
        self.query("TMPD", lambda _: self._shown(self._case_c()))
        self.query("TECR", lambda _: str(self._condition()))
        self.query("TESR", self._read_latched)
        self.query("EROR", lambda _: str(self._faults))
        self.setting("CLER", self._clear_faults)

    # -- time --------------------------------------------------------------------------------------

    def submit(self, connection: Client, message: str) -> None:
        """Lost while it restarts."""
        if self.world.now_ns >= self._deaf_until_ns:
            super().submit(connection, message)

    def reset(self) -> None:
        """``*RST``: power-up settings, then dead time."""
        self._power_up()
        self._command_air()
        self._go_deaf()

    def _to_operator_screen(self, call: Call) -> None:
        call.end()
        self._flowing = False
        self._dut_mode = False
        self._screen = _OPERATOR_SCREEN
        self._command_air()
        self._go_deaf()

    def _go_deaf(self) -> None:
        self._deaf_until_ns = self.world.now_ns + ns_from_s(_DEAD_TIME_S)

    def revived(self) -> None:
        """The loop runs on."""
        self._control_on_grid()

    def _control_on_grid(self) -> None:
        """Start the loop's events if it has to run and does not."""
        if self._flowing and self._control is None and not self.silent:
            grid_ns = ns_from_s(CONTROL_PERIOD_S)
            next_ns = (self.world.now_ns // grid_ns + 1) * grid_ns
            self._control = self.world.at(next_ns, self._control_step)

    def _control_step(self) -> None:
        self._control = None
        if not self._flowing:
            return
        self._follow_ramp()
        self._command_air()
        self._watch_window()
        self._control_on_grid()

    def _follow_ramp(self) -> None:
        set_point = self._set_point
        way_c = set_point.temperature_c - self._ramped_c
        if set_point.ramp_c_per_min >= _AS_FAST_AS_IT_CAN_C_PER_MIN:
            step_c = abs(way_c)
        else:
            step_c = min(abs(way_c), set_point.ramp_c_per_min / 60.0 * CONTROL_PERIOD_S)
        self._ramped_c += math.copysign(step_c, way_c)

    def _command_air(self) -> None:
        """Steer the air: at the set point, or so that the case gets there."""
        target_c = self._ramped_c
        if self._flowing and self._dut_mode:
            case_c = self._case_c()
            if case_c is None:
                self._faults |= _NO_SENSOR
                target_c = 25.0
            else:
                error_c = target_c - case_c
                wanted_c = target_c + _GAIN * (error_c + self._integral_c)
                low_c = max(self._lower_c, case_c - self._air_to_dut_c)
                high_c = min(self._upper_c, case_c + self._air_to_dut_c)
                limited_c = min(max(wanted_c, low_c), high_c)
                if wanted_c == limited_c:  # the integral stands still while the air is at a limit
                    self._integral_c += error_c * CONTROL_PERIOD_S / _RESET_TIME_S
                target_c = limited_c
        target_c = min(max(target_c, self._lower_c), self._upper_c)
        # With the head up the nozzle blows beside the module: for the module, and for the air sensor at the
        # nozzle's end, that is as good as none. Air that it does not blow is another's, such as a chamber's.
        blowing = self._flowing and self._head_down
        if blowing or self._blowing:
            self._air.set_air(target_c=target_c, flowing=blowing)
        self._blowing = blowing

    def _watch_window(self) -> None:
        controlled_c = self._controlled_c()
        set_point = self._set_point
        inside = (
            controlled_c is not None and abs(controlled_c - set_point.temperature_c) <= set_point.window_c
        )
        if not inside or not self._flowing:
            self._in_window_since_ns = None
        elif self._in_window_since_ns is None:
            self._in_window_since_ns = self.world.now_ns
        since_ns = self._in_window_since_ns
        self._reached = since_ns is not None and (self.world.now_ns - since_ns >= ns_from_s(set_point.soak_s))
        self._latched |= self._condition()

    # -- values ------------------------------------------------------------------------------------

    @property
    def _set_point(self) -> _SetPoint:
        return self._set_points[self._number]

    def _case_c(self) -> float | None:
        if self._sensor == 0 or not self.sensor_connected:
            return None
        noise_c = 0.02 * self.world.noise.normal(self.role, "case", self.world.now_ns)
        return self._air.case_temp_c() + self._sensor_offset_c + noise_c

    def _controlled_c(self) -> float | None:
        return self._case_c() if self._dut_mode else self._air.air_temp_c()

    def _condition(self) -> int:
        return _AT_TEMPERATURE if self._reached and self._flowing else _NOT_AT_TEMPERATURE

    def _shown(self, temperature_c: float | None) -> str:
        return f"{_INVALID_C if temperature_c is None else temperature_c:.1f}"

    # -- commands ----------------------------------------------------------------------------------

    def _restart_soak(self) -> None:
        self._in_window_since_ns = None
        self._integral_c = 0.0
        if self._set_point.ramp_c_per_min >= _AS_FAST_AS_IT_CAN_C_PER_MIN:
            self._ramped_c = self._set_point.temperature_c

    def _set_ramp(self, call: Call) -> None:
        ramp_c_per_min = call.number(minimum=0.0, maximum=_AS_FAST_AS_IT_CAN_C_PER_MIN)
        call.end()
        self._set_point.ramp_c_per_min = ramp_c_per_min

    def _select(self, call: Call) -> None:
        number = call.integer(0, 2)
        call.end()
        if number != self._number:
            self._number = number
            self._restart_soak()
            self._command_air()

    def _set_temperature(self, call: Call) -> None:
        temperature_c = call.number(minimum=self._lower_c, maximum=self._upper_c)
        call.end()
        low_c, high_c = {0: (30.0, 225.0), 1: (20.0, 30.0), 2: (-99.9, 20.0)}[self._number]
        if not low_c <= temperature_c <= high_c:
            raise ScpiError(-222)
        self._set_point.temperature_c = round(temperature_c, 1)
        self._restart_soak()
        self._command_air()

    def _set_window(self, call: Call) -> None:
        window_c = call.number(minimum=0.1, maximum=9.9)
        call.end()
        self._set_point.window_c = window_c
        self._in_window_since_ns = None

    def _set_soak(self, call: Call) -> None:
        soak_s = call.number(minimum=0.0, maximum=9999.0)
        call.end()
        self._set_point.soak_s = soak_s
        self._in_window_since_ns = None

    def _keep(self, name: str, low: float, high: float, call: Call) -> None:
        value = call.number(minimum=low, maximum=high)
        call.end()
        self._kept[name] = value

    def _set_lower(self, call: Call) -> None:
        lower_c = call.number(minimum=-99.0, maximum=25.0)
        call.end()
        self._lower_c = lower_c

    def _set_upper(self, call: Call) -> None:
        upper_c = call.number(minimum=25.0, maximum=225.0)
        call.end()
        self._upper_c = upper_c

    def _set_air_to_dut(self, call: Call) -> None:
        limit_c = call.integer(10, 300)
        call.end()
        self._air_to_dut_c = float(limit_c)

    def _set_dut_mode(self, call: Call) -> None:
        on = call.boolean()
        call.end()
        if on is not self._dut_mode:
            self._dut_mode = on
            self._restart_soak()
            self._command_air()

    def _set_sensor(self, call: Call) -> None:
        sensor = call.integer(0, 2)
        call.end()
        self._sensor = sensor

    def _set_head(self, call: Call) -> None:
        down = call.boolean()
        call.end()
        self._head_down = down
        self._command_air()

    def _set_flow(self, call: Call) -> None:
        on = call.boolean()
        call.end()
        self._flowing = on
        self._restart_soak()
        self._command_air()
        self._control_on_grid()

    def _read_latched(self, call: Call) -> str:
        call.end()
        value, self._latched = self._latched, 0
        return str(value)

    def _clear_faults(self, call: Call) -> None:
        call.end()
        self._faults = 0
