"""``[[fibre]]`` and ``[[splitter]]`` of a bench file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.tables import Table, parse_quantity
from harness.wiring.complaints import wiring_complaints
from harness.wiring.pieces import APC_REFLECTANCE_DB, PATCH_CORD_M, Fibre, InsertionLoss, Leg, Splitter
from harness.wiring.ports import MODULE, Port, parse_port
from harness.wiring.ways import Wiring

_MOST_LEGS = 64


def read_wiring(
    table: Table,
    passes: Mapping[str, InsertionLoss],
    *,
    present: Collection[str],
    complained: Collection[str],
    roles: Collection[str],
) -> Wiring:
    """The fibres and splitters of a bench.

    :param present: roles that the bench has.
    :param complained: roles that it lacks and that there is a complaint about already.
    :param roles: words that no splitter may be called.
    """
    splitters = _splitters(table, roles)
    fibres: list[tuple[str, Fibre]] = []
    known = {MODULE, *present, *splitters}
    quiet = set(complained)
    for index, part in enumerate(table.tables("fibre"), start=1):
        fibre = _fibre(part, known, quiet)
        if fibre is not None:
            fibres.append((f"fibre[{index}]", fibre))
    for key, complaint in wiring_complaints(fibres, passes=passes, splitters=splitters):
        table.complain(key, complaint)
    return Wiring([fibre for _, fibre in fibres], passes, tuple(splitters.values()))


def read_port(part: Table, key: str) -> Port | None:
    """A port by its name; None when there is a complaint."""
    text = part.text(key)
    try:
        return parse_port(text)
    except ValueError as fault:
        if text:
            part.complain(key, str(fault))
        return None


def _fibre(part: Table, known: Collection[str], quiet: set[str]) -> Fibre | None:
    ports = []
    for key in ("from", "to"):
        port = read_port(part, key)
        if port is None:
            continue
        if port.role in known:
            ports.append(port)
        elif port.role not in quiet:
            quiet.add(port.role)
            part.complain(key, f"the bench has no {port.role}")
    loss_db = part.quantity("loss", "dB", low=0.0)
    uncertainty_db = part.quantity("uncertainty", "dB", low=0.0)
    length_m = part.quantity("length", "m", f"{PATCH_CORD_M:g} m", low=0.0)
    reflectance_db = part.quantity("reflectance", "dB", f"{APC_REFLECTANCE_DB:g} dB")
    if reflectance_db > 0.0:
        part.complain("reflectance", f"{reflectance_db:g} dB is above 0 dB: more than comes would go back")
    part.end()
    if len(ports) != 2:
        return None
    return Fibre(ports[0], ports[1], loss_db, uncertainty_db, length_m, min(0.0, reflectance_db))


def _splitters(table: Table, roles: Collection[str]) -> dict[str, Splitter]:
    splitters: dict[str, Splitter] = {}
    for part in table.tables("splitter"):
        name = part.text("name")
        usable = name.isidentifier() and name != MODULE and name not in roles
        if name and not usable:
            part.complain("name", f"{name!r} is no name for a splitter; write one such as tap1")
        elif name in splitters:
            part.complain("name", f"there is another splitter {name}")
        legs = part.tables("legs")
        if not 1 <= len(legs) <= _MOST_LEGS:
            part.complain("legs", f"expected 1 .. {_MOST_LEGS} legs, found {len(legs)}")
        stated = all(_is_stated(leg) for leg in legs)
        splitter = Splitter(name, tuple(_leg(leg) for leg in legs[:_MOST_LEGS]))
        part.end()
        if legs and stated and splitter.would_amplify:
            part.complain("legs", "more light would leave by the legs than comes in")
        if usable:
            splitters[name] = splitter
    return splitters


def _is_stated(part: Table) -> bool:
    """Whether a leg has a loss that can be read; of one that has not nothing more is to be said."""
    try:
        return parse_quantity(str(part.raw("loss")), "dB") >= 0.0
    except ValueError:
        return False


def _leg(part: Table) -> Leg:
    leg = Leg(
        part.quantity("loss", "dB", low=0.0),
        part.quantity("uncertainty", "dB", low=0.0),
        part.quantity("wavelength", "nm", low=1.0) if part.has("wavelength") else None,
    )
    part.end()
    return leg
