"""The reference transmitter as what it is in most labs: a golden CMIS module on a host board of its own.

Its media side's generators (page 13h) send the patterns, with its own crystal as their clock. Nothing that it
does wrong is laid to the module under test: every fault is an :class:`drivers.errors.InstrumentError` that
names this role. A module with a transmitter made worse on purpose is a stressed source by the same driver.

Never run on hardware.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivers.clock import Clock
from drivers.cmis import information
from drivers.cmis.bringup import bring_up
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.diagnostics import Side
from drivers.cmis.diagnostics.patterns import USER_PATTERN
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.lane_controls import LaneControl, is_advertised, lanes_on, set_lanes
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.cmis.states import (
    MGMT_INIT_S,
    RESET_PULSE_S,
    advertised_s,
    first_answer,
    require_module,
    wait_for_module_state,
)
from drivers.cmis.wording import lanes_text, where
from drivers.errors import BenchError, InstrumentError, OutOfRangeError, UnsupportedError
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus
from drivers.interfaces import Identity, ReferenceTransmitter, SafetyStep

__all__ = ["TRAFFIC", "ReferenceModule", "ReferenceOptions"]

TRAFFIC = "traffic"
"""Name of what is sent while no generator runs: what the reference module's own host feeds it."""

OUTPUT_OFF_S, OUTPUT_ON_S = 0.1, 0.4
"""Time that OutputDisableTx has to take effect, beside the data path's own (OIF-CMIS-05.4 Table 10-1, as
SFF-8636 has had them [uncertain for every module])."""

_DEFAULT_LANES = (1, 2, 3, 4)
_MOST_LANES = 8
_OWN = ("lanes", "application")
_UP = (
    DataPathState.DPInitialized,
    DataPathState.DPTxTurnOn,
    DataPathState.DPActivated,
    DataPathState.DPTxTurnOff,
)
_STATUS_SINCE = 5
"""CMIS from which on OutputStatusTx (11h:133) is there [uncertain]."""


class ReferenceOptions:
    """Options of a bench file, checked: those of the host board
    (:class:`drivers.host_board.HostBoardOptions`) and

    ``lanes``: media lanes that are wired, by default 1 to 4: others are kept dark where the module can switch
    lanes one by one; ``application``: media interface by its name in
    SFF-8024, by default the first application that the module advertises.
    """

    def __init__(self, options: Mapping[str, object], *, name: str) -> None:
        self.lanes = _lanes(options.get("lanes", list(_DEFAULT_LANES)), name)
        application = options.get("application", "")
        if not isinstance(application, str):
            raise OutOfRangeError(name, f"option application must be text, got {application!r}")
        self.application = application
        self.board = {key: value for key, value in options.items() if key not in _OWN}


def _lanes(listed: object, name: str) -> tuple[int, ...]:
    lanes = listed if isinstance(listed, list) else []
    if (
        not lanes
        or not all(type(lane) is int and 1 <= lane <= _MOST_LANES for lane in lanes)
        or len(set(lanes)) != len(lanes)
    ):
        raise OutOfRangeError(
            name, f"option lanes must list different media lanes of 1..{_MOST_LANES}, got {listed!r}"
        )
    return tuple(sorted(lanes))


class ReferenceModule:
    """:class:`drivers.interfaces.ReferenceTransmitter` over a module and a host board on one bus of their
    own.

    ``options``: see :class:`ReferenceOptions`. Does no I/O when it is constructed. Never run on hardware.
    """

    def __init__(self, bus: I2cBus, clock: Clock, *, name: str, options: Mapping[str, object]) -> None:
        checked = ReferenceOptions(options, name=name)
        self.name = name
        self._lanes = checked.lanes
        self._application = checked.application
        self._clock = clock
        self._board = I2cHostBoard(bus, clock, name=name, options=checked.board)
        self._module = CmisModule(self._board.memory, clock)
        self._prbs = ModulePrbs(self._module, side=Side.MEDIA, name=name, self_measured=False, settle_s=0.0)

    @property
    def lanes(self) -> tuple[int, ...]:
        """Its media lanes, as the bench file lists them."""
        return self._lanes

    @property
    def patterns(self) -> tuple[str, ...]:
        """:data:`TRAFFIC`, and what its media side's generators advertise (13h:134-135), but for the user
        pattern, of which nobody has said what it is.

        :raises InstrumentError: when it cannot be asked.
        """
        with self._its_fault("reading what its generators send"):
            return (TRAFFIC, *self._generated())

    def connect(self) -> Identity:
        """Take over the board's pins and reset the module, which leaves it in low power and dark; read who it
        is.

        :raises InstrumentError: when a pin does not follow, no module is inserted, it does not answer within
            tMgmtInit, or stays out of low power.
        """
        self._board.connect()
        pins, module = self._board.pins, self._module
        with self._its_fault("connecting"):
            require_module(pins)
            pins.set_reset(asserted=True)
            self._clock.sleep(RESET_PULSE_S)
            pins.set_reset(asserted=False)
            released_s = self._clock.now_s()
            until_s = released_s + MGMT_INIT_S
            first_answer(module, lambda: module.get("SFF8024Identifier"), until_s=until_s)
            self._prbs.diagnostics.forget()
            wait = wait_for_module_state(module, ModuleState.ModuleLowPwr, MGMT_INIT_S, since_s=released_s)
            if not wait.reached:
                raise self._fault(
                    f"is not in low power after a reset with LPMode asserted: {wait.in_words()}",
                    "It may be lit. See that pin_bits.lpmode is the pin that the module has, and replace a "
                    "module that does not heed it.",
                )
        return self.identify()

    def identify(self) -> Identity:
        """Vendor, part number, serial number and firmware of the module.

        :raises InstrumentError: when it does not answer.
        """
        with self._its_fault("reading who it is"):
            return self._prbs.identify()

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """A module has no error queue."""
        return ()

    def start_pattern(self, pattern: str) -> None:
        """Bring the module up when it is not, set its generators (13h), light every lane; all read back.
        Media lanes that are not among :attr:`lanes` are switched off as soon as it is up, for nobody looks
        after their light; a module that cannot switch its lanes lights them too.

        :data:`TRAFFIC`: generators off. Whether the generators run in step is read from their flags
        (14h:136), which takes 0.2 s.

        :raises UnsupportedError: for a pattern that it does not send, and lanes that it does not have; no
            light was switched on.
        :raises InstrumentError: when it does not come up, a register does not follow, or a lane stays dark.
        """
        with self._its_fault(f"starting {pattern}"):
            pattern = self._required(pattern)
            if not self._is_up():
                self._bring_up()  # resets it: all lanes are lit at the end
            self._darken_others()
            diagnostics = self._prbs.diagnostics
            if pattern != TRAFFIC:
                self._prbs.start_pattern(pattern, self._lanes, check=False)
            elif self._generated():
                diagnostics.stop_generator(Side.MEDIA)
            self._switch(self._lanes, lit=True)
            if pattern != TRAFFIC:
                locked = diagnostics.generator_locked(Side.MEDIA)
                astray = [lane for lane in self._lanes if not locked[lane - 1]]
                if astray:
                    raise self._fault(
                        f"the generators of lanes {lanes_text(astray)} are out of lock (14h:136)",
                        "Check the clock of the reference's host board.",
                    )

    def stop_pattern(self) -> None:
        """Switch every lane that the module has off (OutputDisableTx) and the generators, read back; the
        module stays up.

        :raises InstrumentError: when a register does not follow, or a lane stays lit.
        """
        with self._its_fault("going dark"):
            self._switch(information.media_lanes_present(self._module.registers), lit=False)
            if self._generated():
                self._prbs.diagnostics.stop_generator(Side.MEDIA)

    def set_lane(self, lane: int, *, lit: bool) -> None:
        """OutputDisableTx of one lane, read back, and what comes of it (11h:133) once the advertised time has
        passed.

        :raises OutOfRangeError: for a lane that is not one of :attr:`lanes`.
        :raises UnsupportedError: for a module that switches its lanes only all together, or none.
        :raises InstrumentError: when the module is not up and the lane is to be lit, a register does not
            follow, or the lane does not.
        """
        if lane not in self._lanes:
            raise OutOfRangeError(self.name, f"its lanes are {lanes_text(self._lanes)}, not {lane}")
        with self._its_fault(f"switching lane {lane} {'on' if lit else 'off'}"):
            if lit and not self._is_up():
                raise self._fault(
                    f"lane {lane} cannot be lit: the module is not up", "Call start_pattern first."
                )
            self._switch((lane,), lit=lit)

    def lit_lanes(self) -> tuple[int, ...]:
        """Lanes whose output is valid (OutputStatusTx, 11h:133; before CMIS 5: not disabled, in an activated
        data path).

        :raises InstrumentError: when it cannot be asked.
        """
        with self._its_fault("reading which lanes are lit"):
            on = self._lit()
        return tuple(lane for lane in self._lanes if lane in on)

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Hold the module in low power and in reset, as :meth:`drivers.host_board.I2cHostBoard.make_safe`."""
        return self._board.make_safe()

    # inside

    def _generated(self) -> tuple[str, ...]:
        try:
            return tuple(name for name in self._prbs.generator_patterns if name != USER_PATTERN)
        except NotAdvertisedError:  # no diagnostics at all
            return ()

    def _required(self, pattern: str) -> str:
        """The pattern's name as CMIS spells it."""
        there = self._generated()
        found = next((name for name in (TRAFFIC, *there) if name.casefold() == pattern.casefold()), None)
        if found is None:
            raise UnsupportedError(
                self.name,
                f"does not send {pattern}: 13h:134-135 advertise {', '.join(there) or 'no generator'}",
                advice="A module whose generator has this pattern can.",
            )
        missing = set(self._lanes).difference(information.media_lanes_present(self._module.registers))
        if missing:
            raise UnsupportedError(
                self.name,
                f"has no media lanes {lanes_text(missing)} (00h:210)",
                advice="Correct the option lanes in the bench file.",
            )
        return found

    def _is_up(self) -> bool:
        if self._module.module_state() is not ModuleState.ModuleReady:
            return False
        return any(state in _UP for state in self._module.data_path_states())

    def _bring_up(self) -> None:
        applications = self._module.applications()
        first = applications[0].media_interface if applications else ""
        result = bring_up(
            self._module, self._board.pins, self._clock, media_interface=self._application or first
        )
        if not result.ok:
            raise self._fault(f"did not come up: {result.stopped_by}", "It is dark or not to be trusted.")

    def _darken_others(self) -> None:
        """Lanes that the module has and nobody has wired."""
        module = self._module
        if not is_advertised(module, LaneControl.OUTPUT_DISABLE_TX):
            return
        others = set(information.media_lanes_present(module.registers)).difference(self._lanes)
        if others.difference(lanes_on(module, LaneControl.OUTPUT_DISABLE_TX)):
            self._switch(others, lit=False)

    def _switch(self, lanes: Collection[int], *, lit: bool) -> None:
        module = self._module
        if not is_advertised(module, LaneControl.OUTPUT_DISABLE_TX):
            on = self._lit()
            if set(lanes).difference(on) if lit else set(lanes).intersection(on):
                raise UnsupportedError(
                    self.name,
                    f"does not switch its light: {where('OutputDisableTxSupported')} is 0",
                    advice="A shutter on its way can; make_safe() holds it in reset.",
                )
            return
        is_up = self._is_up()
        set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, lanes, not lit)
        if not is_up:
            return  # dark as it is: OutputDisableTx alone is to be set
        turning = "MaxDurationDPTxTurnOn" if lit else "MaxDurationDPTxTurnOff"
        self._clock.sleep(advertised_s(module, turning) + (OUTPUT_ON_S if lit else OUTPUT_OFF_S))
        wrong = set(lanes).difference(self._lit()) if lit else set(lanes).intersection(self._lit())
        if wrong:
            raise self._fault(
                f"lanes {lanes_text(wrong)} are {'dark' if lit else 'lit'} still "
                f"({where('OutputStatusTx')}), {where(turning)} after OutputDisableTx was "
                f"{'cleared' if lit else 'set'}",
                "See its flags and its state: lanewise module show.",
            )

    def _lit(self) -> set[int]:
        """Of all media lanes that the module has."""
        registers = self._module.registers
        if self._module.module_state() is not ModuleState.ModuleReady:
            return set()
        there = set(information.media_lanes_present(registers))
        if information.get_int(registers, "CmisRevisionMajor") >= _STATUS_SINCE:
            return there.intersection(information.lanes_set(registers, "OutputStatusTx"))
        if DataPathState.DPActivated in self._module.data_path_states():
            return there.difference(information.lanes_set(registers, "OutputDisableTx"))
        return set()

    def _fault(self, what: str, advice: str) -> InstrumentError:
        return InstrumentError(self.name, what, advice=advice)

    @contextmanager
    def _its_fault(self, doing: str) -> Iterator[None]:
        """What the reference module does wrong is the bench's fault, and named as this role's."""
        try:
            yield
        except CmisError as error:
            kind = UnsupportedError if isinstance(error, NotAdvertisedError) else InstrumentError
            raise kind(
                self.name,
                f"{doing}: {error}",
                advice="This is the reference module, not the one under test.",
            ) from error
        except InstrumentError as error:
            if error.instrument == self.name:
                raise
            # By another name: it speaks of "the" host board, which is the other module's.
            raise InstrumentError(
                self.name,
                f"{doing}: {error.what}",
                command=error.command,
                reply=error.reply,
                advice=error.advice,
            ) from error
        except BenchError as error:
            raise InstrumentError(self.name, f"{doing}: {error}") from error


if TYPE_CHECKING:

    def _is_a_reference(module: ReferenceModule) -> ReferenceTransmitter:
        return module
