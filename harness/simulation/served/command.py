"""``lanewise simulate module``: a server of simulated modules in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.simulation.module.profile import ProfileError, load_profile, profile_names
from harness.simulation.served.protocol import MOST_SLOTS
from harness.simulation.served.served_module import ServedModule, modules_of
from harness.simulation.served.server import LOOPBACK, ModuleServer
from harness.simulation.served.threaded import ended_by_signals
from harness.text import columns

_SLOWEST, _FASTEST = 0.01, 1000.0
_LEVELS = ("--light", "--loopback")  # options whose values may be negative


def main(argv: Sequence[str]) -> int:
    """Serve until a signal ends it. Returns 0, or 2 when it cannot be begun."""
    parser = _parser()
    try:
        arguments = parser.parse_args(_joined(argv))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    speed = None if arguments.manual_clock else arguments.speed
    try:
        wanted = len(arguments.profile) * arguments.count
        if wanted > MOST_SLOTS:
            return _complain(f"{wanted} modules; {MOST_SLOTS} can be served")
        profiles = [
            profile for name in arguments.profile for profile in [load_profile(name)] * arguments.count
        ]
        modules = modules_of(profiles, speed=speed, seed=arguments.seed)
        for module in modules:
            if arguments.light is not None:
                module.surroundings.set_light_dbm(0, arguments.light)
            if arguments.loopback is not None:
                module.surroundings.set_loopback_db(0, arguments.loopback)
        server = ModuleServer(modules, arguments.listen)
    except (ProfileError, ValueError) as fault:
        return _complain(str(fault))
    except OSError as fault:
        return _complain(f"cannot listen on {arguments.listen!a}: {fault.strerror or fault}")
    try:
        with ended_by_signals(server):
            sys.stdout.write(_banner(server, modules, speed))
            sys.stdout.flush()
            server.serve()
    finally:
        server.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lanewise simulate module",
        description="Serve simulated modules on a socket: I2C messages and control pins, for hosts in any "
        "language. The protocol is described in docs/simulated-module.md. Ctrl-C ends it.",
        epilog=f"Profiles that come with the repository: {', '.join(profile_names())}.",
    )
    parser.add_argument("profile", nargs="+", metavar="PROFILE", help="a profile's name, or a file *.toml")
    parser.add_argument(
        "--count", type=_count, default=1, metavar="N", help="so many modules of each profile (default: 1)"
    )
    parser.add_argument(
        "--listen",
        default=LOOPBACK,
        metavar="ADDRESS",
        help="HOST:PORT, port 0: any free one, or unix:PATH (default: %(default)s)",
    )
    time = parser.add_mutually_exclusive_group()
    time.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="module seconds per second of the wall clock (default: 1)",
    )
    time.add_argument("--manual-clock", action="store_true", help="time moves only when a client says so")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the noise (default: 1)")
    light = parser.add_mutually_exclusive_group()
    light.add_argument(
        "--light", type=float, metavar="DBM", help="power on every receiver (default: 0; -inf: dark)"
    )
    light.add_argument(
        "--loopback", type=float, metavar="DB", help="own light on every receiver, behind this loss"
    )
    return parser


def _joined(argv: Sequence[str]) -> list[str]:
    """``--light -inf`` as ``--light=-inf``: argparse takes what begins with a dash and is no number such as
    -5 or -0.5 for an option."""
    found: list[str] = []
    for word in argv:
        if found and found[-1] in _LEVELS and _is_number(word):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MOST_SLOTS:
        raise argparse.ArgumentTypeError(f"1 to {MOST_SLOTS}")
    return value


def _speed(text: str) -> float:
    value = float(text)
    if not _SLOWEST <= value <= _FASTEST:
        raise argparse.ArgumentTypeError(f"{_SLOWEST:g} to {_FASTEST:g}")
    return value


def _banner(server: ModuleServer, modules: Sequence[ServedModule], speed: float | None) -> str:
    when = "time moves by request" if speed is None else f"{speed:g} s of module time a second"
    rows = [
        (str(slot), module.profile.name, module.profile.identity.serial, module.profile.description)
        for slot, module in enumerate(modules)
    ]
    warning = (
        ""
        if server.address.is_local
        else "Whoever reaches this address may do with the modules what he likes.\n"
    )
    return (
        f"serving on {server.address}, {when}\n{warning}\n"
        f"{columns(('slot', 'profile', 'serial', 'description'), rows)}\n\n"
        f"to try: lanewise module show sim:{server.address}/0 --up\n"
        "Ctrl-C ends it\n"
    )


def _complain(text: str) -> int:
    sys.stderr.write(f"lanewise simulate module: {text}\n")
    return 2
