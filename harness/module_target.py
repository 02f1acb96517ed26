"""What ``lanewise module`` works on: a dump, a bus, an optoe file, or a bench with a module in it.

On a bench the module's supply is turned on first, and everything is brought to its safe state afterwards,
however the command ends. On a bus or an optoe file somebody else feeds the module: it is left as it is.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.clock import Clock, StopFlag, WallClock
from drivers.cmis.bringup import BringUpResult, bring_up
from drivers.cmis.errors import CmisError, DumpFormatError, ModuleNotRespondingError, NotAdvertisedError
from drivers.cmis.module import CmisModule
from drivers.cmis.polling import advertised_limits
from drivers.cmis.states import MGMT_INIT_S, first_answer, require_module
from drivers.errors import BenchError, ConnectionFailedError, NoReplyError
from drivers.interfaces import MemoryPort, ModulePins
from harness.bench_file.reading import BenchSpec, find_bench_file, load_bench, with_simulation
from harness.safety import SafetyResult
from harness.stopping import stop_on_signals
from harness.tables import TableError
from harness.target_forms import FORMS
from harness.text import printable_text

if TYPE_CHECKING:
    from drivers.cmis.access import I2cMemory
    from drivers.cmis.dump.formats import Dump
    from drivers.cmis.information import Application

SYSFS = Path("/sys")
"""Where optoe's files are."""
DEFAULT_MEDIA = "400GBASE-DR4"
"""What a module is brought up to when nothing is said and it advertises this."""
MONITORS_S = 2.0
"""How long monitors may take to follow after --up (an assumption: modules renew them once
a second at least)."""
LONGEST_INTERVAL_S = 10.0
"""More than this of an advertised VDM fine interval is not waited for."""
_MONITOR_POLL_S = 0.05
_ROLES = ("host_board", "power_supply")
_BENCH_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SERVED = "sim:"
_BUS = re.compile(r"(?:i2c:|/dev/i2c-)(\d{1,4})", re.ASCII)


@dataclass(slots=True)
class ModuleTarget:
    """A module, or a copy of one, that is open.

    ``pins``: where there is a bench. ``live``: a module and not a dump. ``require_supply``: raises when the
    supply that feeds the module is not where it was set; does nothing where nobody can tell.
    ``bring_up``: what bringing it up found, where that was asked for. ``dump``: what was read, where it is
    one. ``transactions``: bus transactions so far, None where nobody counts them.
    """

    name: str
    memory: MemoryPort
    clock: Clock
    module: CmisModule
    live: bool
    simulated: bool = False
    pins: ModulePins | None = None
    require_supply: Callable[[], None] = field(default=lambda: None)
    supply_is_watched: bool = False
    bring_up: BringUpResult | None = None
    dump: Dump | None = None
    transactions: Callable[[], int | None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """``max_read_bytes``: bytes of one read, 8 or an even number up to 128, or None for what the module
    advertises. ``up``: bring a bench's module up to traffic: its transmitters are on then.
    ``media_interface``: for which application, by its name in any case of letters; None for
    :data:`DEFAULT_MEDIA`, or where the module does not have that, the first application it advertises.
    ``module`` and ``seed`` go with a simulated bench."""

    max_read_bytes: int | None = None
    up: bool = False
    media_interface: str | None = None
    module: str | None = None
    seed: int | None = None


@contextlib.contextmanager
def open_target(text: str, options: TargetOptions | None = None) -> Iterator[ModuleTarget]:
    """Open a target by its name.

    :raises TableError: for a bench file that is wrong, or options that do not go with this target.
    :raises drivers.cmis.errors.CmisError: for a file that is no dump, and a bench's module that is silent.
    :raises BenchError: when it cannot be opened; also, within the context, in place of
        :class:`ModuleNotRespondingError` where nobody can tell whether a module is there and has its supply.
    """
    chosen = options or TargetOptions()
    bus = _BUS.fullmatch(text)
    if bus is None and text.startswith(("i2c:", "/dev/i2c-")):
        raise TableError([f"{text!a}: i2c: needs the number of the bus, as in i2c:1 for /dev/i2c-1"])
    if bus:
        without_bench(text, chosen)
        opened = _open_bus(int(bus[1]), chosen)
    elif text.startswith("optoe:"):
        without_bench(text, chosen)
        opened = _open_optoe(text.removeprefix("optoe:"))
    elif text.startswith(_SERVED):
        without_bench(text, replace(chosen, up=False))
        opened = _open_served(text.removeprefix(_SERVED), chosen)
    elif is_bench(text):
        opened = _open_on_bench(load_bench(find_bench_file(text), from_history=False), chosen)
    else:
        without_bench(text, chosen)
        opened = _open_dump(text)
    with opened as target:
        yield target


def without_bench(text: str, options: TargetOptions) -> None:
    """:raises TableError: when options go with a bench only, which ``text`` does not name."""
    if options.up or options.module is not None or options.seed is not None:
        raise TableError([f"{text!a}: --up, --module and --seed go with a bench only"])


def is_bench(text: str) -> bool:
    """Whether a target's name is that of a bench.

    :raises TableError: for the bare name of a bench that there is not.
    """
    if text.startswith(("i2c:", "/dev/i2c-", "optoe:", _SERVED)):
        return False
    if text.endswith(".toml"):
        return True
    if _exists(text) or not _BENCH_NAME.fullmatch(text):
        return False
    try:
        find_bench_file(text)
    except TableError as error:  # says what names there are
        raise TableError([*error.complaints, f"A module is named by {FORMS}."]) from None
    return True


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _open_dump(text: str) -> Iterator[ModuleTarget]:
    from drivers.cmis.dump import DumpMemory, load_dump

    try:
        dump = load_dump(Path(text))
    except DumpFormatError as error:
        raise DumpFormatError(f"{text!a}: {error}") from error
    memory = DumpMemory(dump.image)
    clock = WallClock(StopFlag())
    yield ModuleTarget(text, memory, clock, CmisModule(memory, clock), live=False, dump=dump)


@contextlib.contextmanager
def _nobody_knows(name: str) -> Iterator[None]:
    """Where no pin tells whether a module is there, silence is no failure of a module."""
    try:
        yield
    except ModuleNotRespondingError as error:
        raise NoReplyError(
            name,
            str(error).rstrip("."),
            advice="Nothing here tells whether a module is plugged in, so this is not held against one.",
        ) from error


@contextlib.contextmanager
def _stoppable() -> Iterator[StopFlag]:
    stop = StopFlag()
    restore = stop_on_signals(stop)
    try:
        yield stop
    finally:
        restore()


@contextlib.contextmanager
def _open_bus(number: int, options: TargetOptions) -> Iterator[ModuleTarget]:
    from smbus2 import SMBus

    from drivers.cmis.access import I2cMemory
    from drivers.i2c import I2cBus

    name = f"i2c:{number}"
    with _stoppable() as stop:
        clock = WallClock(stop)
        try:
            smbus = SMBus(number)
        except OSError as fault:
            raise ConnectionFailedError(
                name,
                f"/dev/i2c-{number} cannot be opened: {fault.strerror or fault}",
                advice="Load i2c-dev, and check that this user may open the file.",
            ) from fault
        bus = I2cBus(smbus, clock, name=name)
        try:
            memory = I2cMemory(bus, clock)
            module = CmisModule(memory, clock)
            with _nobody_knows(name):
                _set_limits(memory, module, options)
                yield ModuleTarget(
                    name, memory, clock, module, live=True, transactions=lambda: bus.transactions
                )
        finally:
            bus.close()


def _require_sysfs(path: str) -> None:
    """Refuse what is no file of sysfs: selecting a page writes byte 127, which would damage a dump.

    :raises TableError: for a path that leads elsewhere, also by a link.
    """
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as fault:
        raise TableError([f"optoe:{path!a}: {fault}"]) from fault
    if not real.is_relative_to(SYSFS):
        raise TableError(
            [
                (
                    f"optoe:{path!a} is not in {SYSFS}, where the optoe driver has its files: nothing was "
                    "read or written. A dump is named by its file alone, without optoe: in front."
                )
            ]
        )


@contextlib.contextmanager
def _open_optoe(path: str) -> Iterator[ModuleTarget]:
    from drivers.cmis.optoe import OptoeMemory

    _require_sysfs(path)
    with _stoppable() as stop:
        clock = WallClock(stop)
        name = f"optoe:{path}"
        with OptoeMemory(Path(path), clock) as memory, _nobody_knows(name):
            yield ModuleTarget(name, memory, clock, CmisModule(memory, clock), live=True)


@contextlib.contextmanager
def _open_served(address: str, options: TargetOptions) -> Iterator[ModuleTarget]:
    from drivers.cmis.access import I2cMemory
    from drivers.i2c import I2cBus
    from harness.opening import open_served_module

    name = f"{_SERVED}{address}"
    with _stoppable() as stop:
        try:
            smbus, pins, clock = open_served_module(address, stop)
        except ValueError as error:
            raise TableError([f"{name!a}: {error}"]) from error
        bus = I2cBus(smbus, clock, name=name)
        try:
            memory = I2cMemory(bus, clock)
            module = CmisModule(memory, clock)
            target = ModuleTarget(
                f"{name} (SIMULATED)",
                memory,
                clock,
                module,
                live=True,
                simulated=True,
                pins=pins,
                transactions=lambda: bus.transactions,
            )
            if options.up:
                _bring_up(target, pins, options)
            _set_limits(memory, module, options)
            yield target
        finally:
            bus.close()


@contextlib.contextmanager
def _open_on_bench(spec: BenchSpec, options: TargetOptions) -> Iterator[ModuleTarget]:
    from drivers.cmis.access import I2cMemory
    from harness.conditions.conditioner import NOMINAL_VCC_V, Conditioner
    from harness.opening import open_bench

    with _stoppable() as stop:
        # Nothing else of the bench is needed, and nothing that is not needed shall stand in the way.
        needed = {role: part for role, part in spec.instruments.items() if role in _ROLES}
        asked = with_simulation(spec, module=options.module, seed=options.seed)
        bench = open_bench(replace(asked, instruments=needed), stop)
        try:
            bench.connect()
            conditioner = Conditioner(bench)
            conditioner.power_on(NOMINAL_VCC_V)
            memory, pins = bench.host_board.memory, bench.host_board.pins
            module = CmisModule(memory, bench.clock)

            def require_supply() -> None:
                conditioner.require_vcc(NOMINAL_VCC_V)

            target = ModuleTarget(
                f"{spec.name}{' (SIMULATED)' if spec.simulated else ''}",
                memory,
                bench.clock,
                module,
                live=True,
                simulated=spec.simulated,
                pins=pins,
                require_supply=require_supply,
                supply_is_watched=True,
                transactions=bench.bus_transactions,
            )
            with _module_is_there(pins, require_supply):
                if options.up:
                    _bring_up(target, pins, options, conditioner.powered_at_s)
                else:
                    until_s = bench.clock.now_s() + MGMT_INIT_S
                    first_answer(module, lambda: module.get("SFF8024Identifier"), until_s=until_s)
                if isinstance(memory, I2cMemory):
                    _set_limits(memory, module, options)
                yield target
        finally:
            not_safe = [result for result in bench.make_safe() if not result.step.safe]
            bench.close()
            for result in not_safe:
                sys.stderr.write(_not_safe(result))
        if not_safe:
            raise BenchError(f"{spec.name} is NOT SAFE: see above, and turn it off by hand")


def _bring_up(
    target: ModuleTarget, pins: ModulePins, options: TargetOptions, vcc_applied_at_s: float | None = None
) -> None:
    """Bring the module up, with the application that was asked for or that it has.

    :raises NotAdvertisedError: when it does not advertise the media interface that was asked for.
    """
    module, clock = target.module, target.clock
    if sys.stderr.isatty():
        sys.stderr.write("bringing the module up ...\n")
    wanted = options.media_interface
    result = bring_up(
        module, pins, clock, media_interface=wanted or DEFAULT_MEDIA, vcc_applied_at_s=vcc_applied_at_s
    )
    if not result.ok and result.steps and result.steps[-1].name == "find_application":
        # Only now, for reading the applications beforehand would hide how long the first steps took.
        application = _other_application(module, wanted)
        if application is not None:
            sys.stderr.write(
                printable_text(
                    f"brought up with AppSel {application.app_sel}, {application.host_interface} to "
                    f"{application.media_interface}; --media chooses another"
                )
                + "\n"
            )
            result = bring_up(module, pins, clock, media_interface=application.media_interface)
    target.bring_up = result
    if result.ok:
        _wait_for_monitors(module, clock)


def _wait_for_monitors(module: CmisModule, clock: Clock) -> None:
    """Until the registers show the module as it is now, and not as it was on the way up.

    Monitors: until the bias current of every lane whose output is valid (11h:133) is above zero, for
    :data:`MONITORS_S` at most; CMIS advertises no period of theirs. VDM: two advertised fine intervals
    (2Fh:129-130), each for :data:`LONGEST_INTERVAL_S` at most. What cannot be read is for
    the command to tell.
    """
    from drivers.cmis import information
    from drivers.cmis.vdm.readings import support

    began_s = clock.now_s()
    with contextlib.suppress(CmisError):
        image = module.registers
        if information.get_int(image, "TxBiasMonSupported"):
            lit = [lane for lane in information.lanes_set(image, "OutputStatusTx") if lane]
            while clock.now_s() < began_s + MONITORS_S:
                bias_ma = information.get_lanes(image, "TxBias")
                if all(bias_ma[lane - 1] > 0.0 for lane in lit):
                    break
                clock.sleep(_MONITOR_POLL_S)
        # Of the sample before an interval that began while the data path came up nothing is left after two.
        interval_s = 2.0 * min(support(image).fine_interval_s or 0.0, LONGEST_INTERVAL_S)
        clock.sleep(max(0.0, began_s + interval_s - clock.now_s()))


def _other_application(module: CmisModule, wanted: str | None) -> Application | None:
    """An application whose media interface is spelt in other letters, or the first where none is wanted."""
    applications = module.applications()
    if wanted is None:
        return applications[0] if applications else None
    for application in applications:
        if application.media_interface.casefold() == wanted.casefold():
            return application
    raise NotAdvertisedError(
        f"--media {wanted!a}: the module does not advertise it. It has "
        + (", ".join(dict.fromkeys(item.media_interface for item in applications)) or "no application")
    )


@contextlib.contextmanager
def _module_is_there(pins: ModulePins, require_supply: Callable[[], None]) -> Iterator[None]:
    """A module that is silent is to blame only if it is inserted and has its supply."""
    try:
        yield
    except ModuleNotRespondingError:
        require_module(pins)
        require_supply()
        raise


def _set_limits(memory: I2cMemory, module: CmisModule, options: TargetOptions) -> None:
    """Reads as long as asked for, or as the module advertises; 8 bytes where it cannot be asked."""
    if options.max_read_bytes is not None:
        memory.limits = replace(memory.limits, read=options.max_read_bytes)
        return
    with contextlib.suppress(CmisError):  # what ails the module is for the command itself to tell
        memory.limits = advertised_limits(module.registers)


def _not_safe(result: SafetyResult) -> str:
    return f"NOT SAFE {result.role}: {printable_text(f'{result.step.action}: {result.step.read_back}')}\n"
