"""A host board whose module is reached through optoe's ``eeprom`` file (:mod:`drivers.cmis.optoe`), as in a
switch: the pins through files of sysfs, as far as the platform has them.

A pin's file holds its level, ``0`` or ``1``: a GPIO's ``value``, or an attribute of the switch's CPLD.
Without a file a pin cannot be driven or read, and whoever asks for it is told. The module is made safe by
ResetL where that has a file, by its registers else.

Never run on hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.clock import Clock
from drivers.cmis.codes import ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import LANES
from drivers.cmis.module import CmisModule
from drivers.cmis.optoe import OptoeMemory
from drivers.cmis.states import to_low_power_s, wait_for_module_state
from drivers.cmis.wording import where
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    OutOfRangeError,
    UnsupportedError,
)
from drivers.host_board import INPUT_PINS, OUTPUT_PINS, RESET_HOLD_S
from drivers.interfaces import HostBoard, Identity, SafetyStep
from drivers.sysfs_file import check_sysfs_path, require_sysfs_file

__all__ = ["OptoeBoardOptions", "OptoeHostBoard", "SysfsPins"]

_PINS = (*OUTPUT_PINS, *INPUT_PINS)
_ASSERTED_LEVEL = {"reset_l": 0, "lpmode": 1, "modsel_l": 0, "modprs_l": 0, "int_l": 0}
_AFTER_CONNECT = {"reset_l": False, "lpmode": True, "modsel_l": True}
_RESET = "reset_l"
_SAFE = (_RESET, "lpmode")
_OPTIONS = ("pins", "asserted_levels")
_LONGEST_CONTENT = 16


class OptoeBoardOptions:
    """Options of a bench file, checked.

    ``pins``: by pin name, the file with its level; any may be left out. ``asserted_levels``: 0 or 1, for pins
    whose file does not show the electrical level (a CPLD's ``module_present`` that reads 1 with a module).
    """

    def __init__(self, options: Mapping[str, object], *, name: str) -> None:
        for key in options:
            if key not in _OPTIONS:
                raise OutOfRangeError(name, f"unknown option {key!r}; there are: {', '.join(_OPTIONS)}")
        pins, levels = options.get("pins", {}), options.get("asserted_levels", {})
        for key, table in (("pins", pins), ("asserted_levels", levels)):
            if not isinstance(table, Mapping) or not set(table) <= set(_PINS):
                raise OutOfRangeError(name, f"option {key} is a table of pins: {', '.join(_PINS)}")
        assert isinstance(pins, Mapping)
        assert isinstance(levels, Mapping)
        self.pins: dict[str, str] = {}
        for pin, path in pins.items():
            try:
                self.pins[pin] = check_sysfs_path(str(path))
            except ValueError as fault:
                raise OutOfRangeError(name, f"option pins.{pin}: {fault}") from fault
        for pin, level in levels.items():
            if type(level) is not int or level not in (0, 1):
                raise OutOfRangeError(name, f"option asserted_levels.{pin} must be 0 or 1, got {level!r}")
            if pin not in pins:
                raise OutOfRangeError(name, f"option asserted_levels.{pin}: pins has no file for {pin}")
        self.asserted_levels = {**_ASSERTED_LEVEL, **levels}


class SysfsPins:
    """:class:`drivers.interfaces.ModulePins` over files. Every level that is set is read back."""

    def __init__(
        self, options: OptoeBoardOptions, clock: Clock, *, name: str, forget_page: Callable[[], None]
    ) -> None:
        self._paths = options.pins
        self._levels = options.asserted_levels
        self._clock = clock
        self._name = name
        self._forget_page = forget_page

    def has(self, pin: str) -> bool:
        """Whether the bench file gives a file for it."""
        return pin in self._paths

    def set_reset(self, *, asserted: bool) -> None:
        """Assert ResetL, and hold it for the shortest pulse that counts, or release it.

        :raises UnsupportedError: without a file for it.
        :raises InstrumentError: when it does not follow.
        """
        self.drive("reset_l", asserted=asserted)
        if asserted:
            self._clock.sleep(RESET_HOLD_S)
        self._forget_page()

    def reset_asserted(self) -> bool:
        """Whether ResetL is low."""
        return self.asserted("reset_l")

    def set_low_power(self, *, asserted: bool) -> None:
        """Assert or release LPMode; raises as :meth:`set_reset`."""
        self.drive("lpmode", asserted=asserted)

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL. Without a file for it the platform itself selects the module whenever optoe talks to
        it, so that nothing is to be done to select it; raises as :meth:`set_reset` to deselect it."""
        if asserted and not self.has("modsel_l"):
            return
        self.drive("modsel_l", asserted=asserted)

    def module_present(self) -> bool:
        """Whether ModPrsL is low."""
        return self.asserted("modprs_l")

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""
        return self.asserted("int_l")

    def asserted(self, pin: str) -> bool:
        """Whether a pin is at its asserted level.

        :raises UnsupportedError: without a file for it.
        :raises GarbledReplyError: when the file holds no level.
        :raises ConnectionFailedError: when it cannot be read.
        """
        file = self._file(pin)
        try:
            with file.open("rb") as opened:
                content = opened.read(_LONGEST_CONTENT)
        except OSError as fault:
            raise self._unusable(file, fault) from fault
        try:
            level = int(content.decode("ascii").strip(), 0)
        except (UnicodeDecodeError, ValueError):
            level = -1
        if level not in (0, 1):
            raise GarbledReplyError(self._name, f"{file} holds no level of {pin}", reply=content)
        return bool(level == self._levels[pin])

    def drive(self, pin: str, *, asserted: bool) -> None:
        """Bring an output to its asserted or released level, and read that back.

        :raises UnsupportedError: without a file for it.
        :raises InstrumentError: when it does not follow, or the file cannot be written.
        """
        file = self._file(pin)
        level = self._levels[pin] if asserted else 1 - self._levels[pin]
        try:
            with file.open("r+b", buffering=0) as opened:
                opened.write(b"%d\n" % level)
        except OSError as fault:
            raise self._unusable(file, fault) from fault
        if self.asserted(pin) is not asserted:
            raise InstrumentError(
                self._name,
                f"pin {pin} does not follow: {file} still reads {1 - level} after {level} was written",
                advice="Check the option pins, and that the GPIO's direction is out.",
            )

    def _file(self, pin: str) -> Path:
        path = self._paths.get(pin)
        if path is None:
            raise UnsupportedError(
                self._name,
                f"has no pin {pin}",
                advice=f"Give its file in the option pins of the bench file, where the platform has one: "
                f'pins = {{ {pin} = "/sys/class/gpio/gpio1/value" }}.',
            )
        return require_sysfs_file(path, self._name)

    def _unusable(self, file: Path, fault: OSError) -> ConnectionFailedError:
        return ConnectionFailedError(
            self._name,
            f"{file}: {fault.strerror or fault}",
            advice="Check the rights of this user, and the direction of the GPIO.",
        )


class OptoeHostBoard:
    """:class:`drivers.interfaces.HostBoard` over an optoe file (``address``: its path in sysfs).

    ``options``: see :class:`OptoeBoardOptions`. Does no I/O when it is constructed. Never run on hardware.
    """

    def __init__(self, path: object, clock: Clock, *, name: str, options: Mapping[str, object]) -> None:
        checked = OptoeBoardOptions(options, name=name)
        self.name = name
        self._path = str(path)
        self._memory = OptoeMemory(self._path, clock)
        self._module = CmisModule(self._memory, clock)
        self._pins = SysfsPins(checked, clock, name=name, forget_page=self._memory.forget_page)

    @property
    def pins(self) -> SysfsPins:
        """The module's pins, as far as they have files."""
        return self._pins

    @property
    def memory(self) -> OptoeMemory:
        """The module's memory."""
        return self._memory

    def connect(self) -> Identity:
        """Check that the file is optoe's place, and take the pins over that have files: LPMode asserted,
        module selected and not in reset; read back. The module need not answer: it may be without supply.

        :raises InstrumentError: when the file is not there or is none of sysfs, or a pin does not follow.
        """
        identity = self.identify()
        for pin, asserted in _AFTER_CONNECT.items():
            if self._pins.has(pin):
                self._pins.drive(pin, asserted=asserted)
        self._memory.forget_page()
        return identity

    def identify(self) -> Identity:
        """An optoe device has no identity of its own; that its file is there is all that is checked.

        :raises ConnectionFailedError: when it is not.
        """
        require_sysfs_file(self._path, self.name)
        return Identity("", "optoe host board", "", "")

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """It has no error queue."""
        return ()

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Hold the module in reset where that pin has a file, and assert LPMode where that has one: a module
        in reset is dark, also one that does not answer. Without ResetL, or where it does not follow, by its
        registers: outputs disabled, low power requested, and ModuleLowPwr reached. Each read back.

        Raises nothing but a stop request: what went wrong is in the steps. A module that does not answer is
        not known to be dark.
        """
        steps = tuple(
            self._step(f"assert {pin}", partial(self._assert, pin)) for pin in _SAFE if self._pins.has(pin)
        )
        if self._pins.has(_RESET) and steps[0].safe:
            return steps
        return (
            *steps,
            self._step("transmitters off", self._disable),
            self._step("low power requested by register", self._request_low_power),
            self._step("module in low power", self._wait_for_low_power),
        )

    def close(self) -> None:
        """Close the file."""
        self._memory.close()

    def _assert(self, pin: str) -> tuple[str, bool]:
        self._pins.drive(pin, asserted=True)
        self._memory.forget_page()
        return "pin asserted", True

    def _disable(self) -> tuple[str, bool]:
        require_sysfs_file(self._path, self.name)
        self._module.set_output_disable_tx(range(1, LANES + 1))
        return f"{where('OutputDisableTx').split()[0]} reads back FFh", True

    def _request_low_power(self) -> tuple[str, bool]:
        require_sysfs_file(self._path, self.name)
        self._module.set_low_power(True)
        return f"{where('LowPwrRequestSW').split()[0]} reads back 1", True

    def _wait_for_low_power(self) -> tuple[str, bool]:
        require_sysfs_file(self._path, self.name)
        wait = wait_for_module_state(self._module, ModuleState.ModuleLowPwr, to_low_power_s(self._module))
        return f"{wait.register} reads {wait.found}", wait.reached

    def _step(self, action: str, perform: Callable[[], tuple[str, bool]]) -> SafetyStep:
        try:
            read_back, safe = perform()
        except (CmisError, BenchError) as fault:
            read_back, safe = f"not confirmed: {fault}", False
        return SafetyStep(action, read_back, safe)


if TYPE_CHECKING:

    def _is_a_host_board(board: OptoeHostBoard) -> HostBoard:
        return board
