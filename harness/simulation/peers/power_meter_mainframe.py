"""Simulated Keysight 8163B / 8164B mainframes with power sensor modules, and others that measure no power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.simulation.peers.power_meter import Detector, KeysightMeterPeer, Port
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import Call, ScpiError
from harness.simulation.world import World

__all__ = ["MainframePeer"]


@dataclass(frozen=True)
class _Kind:
    channels: int
    detector: Detector


_AVERAGINGS_S = (100e-6, 10.0, 0.2)
_DUAL = Detector(
    wavelengths_m=(800e-9, 1650e-9, 1550e-9),
    averagings_s=_AVERAGINGS_S,
    ranges_dbm=(-60.0, -50.0, -40.0, -30.0, -20.0, -10.0, 0.0, 10.0),
    accuracy=0.03,
    noise_w=2e-12,
    dark_w=2e-11,
)
_SENSITIVE = Detector(
    wavelengths_m=(800e-9, 1700e-9, 1550e-9),
    averagings_s=_AVERAGINGS_S,
    ranges_dbm=(-70.0, -60.0, -50.0, -40.0, -30.0, -20.0, -10.0, 0.0, 10.0),
    accuracy=0.025,
    noise_w=1e-13,
    dark_w=1e-12,
)
_HIGH_POWER = Detector(
    wavelengths_m=(970e-9, 1650e-9, 1550e-9),
    averagings_s=_AVERAGINGS_S,
    ranges_dbm=(-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0),
    accuracy=0.03,
    noise_w=1e-9,
    dark_w=5e-9,
)
# By data sheets, from memory.
_KINDS: Mapping[str, _Kind] = {
    "81630B": _Kind(1, _HIGH_POWER),
    "81634B": _Kind(1, _SENSITIVE),
    "81635A": _Kind(2, _DUAL),
}
_DUAL_MODEL, _SINGLE_MODEL = "81635A", "81634B"
_AS_DELIVERED: Mapping[str, Mapping[int, str]] = {
    "8163B": {1: _DUAL_MODEL, 2: _DUAL_MODEL},
    "8164B": {0: "81600B", 1: _DUAL_MODEL, 3: _DUAL_MODEL, 4: "81657A"},
}
_SLOTS: Mapping[str, range] = {"8163B": range(1, 3), "8164B": range(5)}
_EMPTY = "Module slot empty or slot / channel invalid"
_WRONG_CHANNEL = "Channel doesn't support this command"


class MainframePeer(KeysightMeterPeer):
    """``modules``: a model for each slot that is not empty; models that are no power sensors answer who they
    are and nothing else. ``sensors``: which of them have fibres, by ``slot.channel``: the role's ports 1, 2,
    ...; without it all, in the order of slots and channels. Without ``modules``: those that ``sensors``
    needs, or two dual sensors. ``accuracy`` and ``dark_w`` replace those of the models. ``firmware`` before
    3.0 knows no block of all powers.

    A command without a slot goes to the lowest: slot 0 of an 8164. Commands to the slave of a dual sensor
    that only the master takes, READ among them, leave an error (-306; -303 for a slot that is empty; both
    numbers from memory). The block is always in watts, and its modules are read one after the other (assumed:
    the longer way).
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        model: str = "8163B",
        serial: str = "SIM0016",
        modules: Mapping[int, str] | None = None,
        sensors: Sequence[str] = (),
        firmware: str = "V5.25",
        accuracy: float | None = None,
        dark_w: float | None = None,
        questionable_in_dark: bool = False,
    ) -> None:
        super().__init__(
            world,
            fibres,
            role=role,
            serial=serial,
            identity=f"Agilent Technologies,{model},{serial},{firmware}",
            questionable_in_dark=questionable_in_dark,
        )
        wired = [_slot_and_channel(sensor) for sensor in sensors]
        self._in_slots = dict(modules or _needed(wired) or _AS_DELIVERED[model])
        self._slots = _SLOTS[model]
        self._has_block = float(firmware.lstrip("V")) >= 3.0
        places = [
            (slot, channel)
            for slot, name in sorted(self._in_slots.items())
            for channel in range(1, _KINDS[name].channels + 1 if name in _KINDS else 1)
        ]
        ordered = [place for place in wired if place in places]
        numbers = {place: number for number, place in enumerate(wired, start=1)}
        for place in places:
            if place not in ordered:  # no fibre goes there
                numbers[place] = len(numbers) + 1
        for slot, name in sorted(self._in_slots.items()):
            if name in _KINDS:
                here = [place for place in places if place[0] == slot]
                self.add_module(
                    _drawn_anew(_KINDS[name].detector, accuracy, dark_w),
                    [(numbers[place], *place) for place in here],
                )
        self.query("SLOT#:EMPTy", self._slot_empty)
        self.query("SLOT#:IDN", self._slot_identity)
        self.declare_tree()

    # -- slots -------------------------------------------------------------------------------------

    def _slot(self, call: Call) -> int:
        slot = self._named(call)
        call.end()
        if slot not in self._slots:
            raise ScpiError(-114)
        return slot

    def _slot_empty(self, call: Call) -> str:
        return str(int(self._slot(call) not in self._in_slots))

    def _slot_identity(self, call: Call) -> str:
        slot = self._slot(call)
        if slot not in self._in_slots:
            raise ScpiError(-303, _EMPTY)
        return f"HEWLETT-PACKARD, {self._in_slots[slot]},{self._serial}S{slot},07-Aug-08"

    # -- what differs from a multiport meter -------------------------------------------------------

    def _named(self, call: Call) -> int:
        first = call.header.lstrip(":").partition(":")[0].rstrip("?")
        return call.suffixes[0] if first[-1].isdigit() else self._slots[0]

    def _place(self, call: Call) -> tuple[int, int]:
        return self._named(call), call.suffixes[1]

    def _no_such_port(self) -> ScpiError:
        return ScpiError(-303, _EMPTY)

    def _not_a_master(self) -> ScpiError:
        return ScpiError(-306, _WRONG_CHANNEL)

    def _slot_named(self, call: Call) -> None:
        if not self._has_block:
            raise ScpiError(-113)
        if self._named(call) not in self._in_slots:
            raise ScpiError(-303, _EMPTY)

    def _block_value(self, port: Port, power_w: float) -> float:
        return self._questioned(power_w)

    def _together_s(self, durations_s: Iterable[float]) -> float:
        return sum(durations_s)


def _slot_and_channel(sensor: str) -> tuple[int, int]:
    slot, _, channel = sensor.partition(".")
    return int(slot), int(channel)


def _needed(wired: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Modules that have these channels."""
    needed: dict[int, str] = {}
    for slot, channel in wired:
        needed[slot] = _DUAL_MODEL if channel > 1 else needed.get(slot, _SINGLE_MODEL)
    return needed


def _drawn_anew(detector: Detector, accuracy: float | None, dark_w: float | None) -> Detector:
    detector = detector if accuracy is None else replace(detector, accuracy=accuracy)
    return detector if dark_w is None else replace(detector, dark_w=dark_w)
