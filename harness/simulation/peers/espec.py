"""Simulated ESPEC chamber with a P300 controller."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.simulation.line_peer import LineClient, LinePeer
from harness.simulation.ports import AirStream
from harness.simulation.world import World, ns_from_s

__all__ = ["ChamberPeer"]

_HEATING_C_PER_S = 3.0 / 60.0  # of the order of data sheets of small chambers, not of one
_COOLING_C_PER_S = 2.0 / 60.0
_LEAKING_C_PER_S = 0.5 / 60.0  # with the door shut and nothing running
_RANGE_C = (-40.0, 150.0)
_WARMING_UP_S = 5.0
_SETTING = re.compile(r"S\s*([+-]?[0-9]{1,3}(?:\.[0-9]{1,2})?)")
_MODES = ("OFF", "STANDBY", "CONSTANT")


class ChamberPeer(LinePeer):
    """Brings the air over the module to a set point, slowly: 3 C/min up, 2 C/min down. Off or in standby its
    fan stands still and the air drifts to the room's.

    A command that comes within ``rest_s`` after the answer to another is lost. For 5 s after ``POWER, ON`` it
    is not ready. ``address``: it listens to lines that begin with it alone; 0: to all, with any address or
    none. ``sensor_error_c``: the largest error of its air sensor (one is drawn within it). It has no serial
    number to tell; ``serial`` names the specimen whose errors it draws.
    """

    identity_lines = {"TYPE?": "T,T,OTHER-1,180.0"}  # noqa: RUF012

    def __init__(
        self,
        world: World,
        air: AirStream,
        *,
        role: str,
        serial: str = "SIM0007",
        address: int = 0,
        rest_s: float = 0.2,
        sensor_error_c: float = 0.3,
    ) -> None:
        super().__init__(world, role=role, answer_s=0.05)
        self._air = air
        self._addressed = re.compile(rf"{address}," if address else r"(?:[0-9]{1,2},)?")
        self._rest_ns = ns_from_s(rest_s)
        self._deaf_until_ns = 0
        self._ready_ns = 0
        self._offset_c = sensor_error_c * (2.0 * world.noise.uniform(role, serial, "sensor") - 1.0)
        self._set_c = 23.0
        self._mode = "STANDBY"
        self.alarms: tuple[int, ...] = ()

    @property
    def mode(self) -> str:
        """``OFF``, ``STANDBY``, ``CONSTANT`` or ``RUN``."""
        return self._mode

    def run_program(self) -> None:
        """Somebody starts a program at the panel."""
        self._mode = "RUN"
        self._steer()

    def raise_alarm(self, number: int) -> None:
        """An alarm stops it."""
        self.alarms = (*self.alarms, number)
        self._mode = "STANDBY"
        self._steer()

    def submit(self, client: LineClient, line: str) -> None:
        """Lost while it rests, or when it is for another."""
        if self.world.now_ns >= self._deaf_until_ns and self._addressed.match(line):
            super().submit(client, line)

    def answer(self, line: str) -> str | None:
        """What it answers to a line."""
        self._deaf_until_ns = self.world.now_ns + self._rest_ns
        command = re.sub(r"\s*,\s*", ",", self._addressed.sub("", line, count=1).strip().upper())
        header, _, argument = command.partition(",")
        if header.endswith("?"):
            return self._tell(header, argument)
        refusal = self._carry_out(header, argument)
        return f"OK:{command}" if refusal is None else f"NA:{refusal}"

    def _tell(self, header: str, argument: str) -> str:
        if argument and (header, argument) != ("MODE?", "DETAIL"):
            return "NA:PARA ERR"
        high_c, low_c = _RANGE_C[1], _RANGE_C[0]
        answers: dict[str, Callable[[], str]] = {
            "TYPE?": lambda: f"T,P300,{high_c:.1f}",
            "ROM?": lambda: "P300-1.20-SIMULATED",
            "TEMP?": lambda: f"{self._shown_c():.1f},{self._set_c:.1f},{high_c:.1f},{low_c:.1f}",
            "MON?": lambda: f"{self._shown_c():.1f},,{self._mode},{len(self.alarms)}",
            "MODE?": lambda: self._mode,
            "ALARM?": lambda: ",".join(map(str, (len(self.alarms), *self.alarms))),
        }
        return answers[header]() if header in answers else "NA:CMD ERR"

    def _carry_out(self, header: str, argument: str) -> str | None:
        """What a command is refused for; None when it is carried out."""
        handler = {"TEMP": self._set_temperature, "MODE": self._set_mode, "POWER": self._set_power}.get(
            header
        )
        if handler is None:
            return "CMD ERR"
        refusal = handler(argument)
        if refusal is None:
            self._steer()
        return refusal

    def _set_temperature(self, argument: str) -> str | None:
        found = _SETTING.fullmatch(argument)
        if found is None:
            return "PARA ERR"
        if self.world.now_ns < self._ready_ns:
            return "CHB NOT READY-2"
        wanted_c = round(float(found[1]), 1)
        if not _RANGE_C[0] <= wanted_c <= _RANGE_C[1]:
            return "DATA OUT OF RANGE"
        self._set_c = wanted_c
        return None

    def _set_mode(self, argument: str) -> str | None:
        if argument not in _MODES:
            return "PARA ERR"
        if argument == "CONSTANT" and (
            self._mode == "OFF" or self.alarms or self.world.now_ns < self._ready_ns
        ):
            return "CHB NOT READY-2"
        self._mode = argument
        return None

    def _set_power(self, argument: str) -> str | None:
        if argument not in ("ON", "OFF"):
            return "PARA ERR"
        if argument == "OFF":
            self._mode = "OFF"
        elif self._mode == "OFF":
            self._mode = "STANDBY"
            self._ready_ns = self.world.now_ns + ns_from_s(_WARMING_UP_S)
        return None

    def _steer(self) -> None:
        """The fan blows while it runs; its controller brings its own sensor to the set point."""
        running = self._mode in ("CONSTANT", "RUN")
        target_c = self._set_c - self._offset_c
        if not running:
            rate = _LEAKING_C_PER_S
        else:
            rate = _HEATING_C_PER_S if target_c > self._air.air_temp_c() else _COOLING_C_PER_S
        self._air.set_air(target_c=target_c, flowing=running, rate_c_per_s=rate)

    def _shown_c(self) -> float:
        noise_c = 0.02 * self.world.noise.normal(self.role, "air", self.world.now_ns)
        return self._air.air_temp_c() + self._offset_c + noise_c
