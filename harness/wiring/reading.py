"""``[[fibre]]`` and ``[[splitter]]`` of a bench file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from harness.tables import Table, parse_quantity
from harness.wiring.complaints import wiring_complaints
from harness.wiring.pieces import (
    APC_REFLECTANCE_DB,
    HIGHEST_LOSS_DB,
    HIGHEST_UNCERTAINTY_DB,
    LEAST_GLASS_DB_PER_KM,
    LONGEST_FIBRE_M,
    PATCH_CORD_M,
    WAVELENGTHS_NM,
    WORST_REFLECTANCE_DB,
    Fibre,
    InsertionLoss,
    Leg,
    Splitter,
)
from harness.wiring.ports import MODULE, Port, parse_port
from harness.wiring.ways import Wiring

_MOST_LEGS = 64
_LEAST_REFLECTANCE_DB = -100.0
_GLASS_TOLERANCE_DB = 0.05


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
    sound = {name: splitter for name, splitter in splitters.sound if name}
    # Fibres at splitters with a complaint of their own get none; a name that cannot be one may stand for any.
    quiet = _Quiet({*complained, *splitters.unsound}, splitters.unnamed, roles)
    fibres: list[tuple[str, Fibre]] = []
    known = {MODULE, *present, *sound}
    for index, part in enumerate(table.tables("fibre"), start=1):
        fibre = _fibre(part, known, quiet)
        if fibre is not None:
            fibres.append((f"fibre[{index}]", fibre))
    for key, complaint in wiring_complaints(fibres, passes=passes, splitters=sound):
        table.complain(key, complaint)
    return Wiring([fibre for _, fibre in fibres], passes, tuple(sound.values()))


def read_loss(part: Table) -> InsertionLoss:
    """``loss`` and ``uncertainty``, as every piece states them."""
    return InsertionLoss(
        part.quantity("loss", "dB", low=0.0, high=HIGHEST_LOSS_DB),
        part.quantity("uncertainty", "dB", low=0.0, high=HIGHEST_UNCERTAINTY_DB),
    )


def read_port(part: Table, key: str) -> Port | None:
    """A port by its name; None when there is a complaint."""
    text = part.text(key)
    try:
        return parse_port(text)
    except ValueError as fault:
        if text:
            part.complain(key, str(fault))
        return None


@dataclass(slots=True)
class _Quiet:
    """Names that there is a complaint about already; ``unnamed``: of how many splitters it is not known
    which."""

    names: set[str]
    unnamed: int
    roles: Collection[str]

    def about(self, name: str) -> bool:
        """Whether nothing is to be said about a name that the bench lacks. It is said once."""
        if name in self.names:
            return True
        self.names.add(name)
        if self.unnamed and name not in self.roles:
            self.unnamed -= 1
            return True
        return False


def _fibre(part: Table, known: Collection[str], quiet: _Quiet) -> Fibre | None:
    ports = []
    for key in ("from", "to"):
        port = read_port(part, key)
        if port is None:
            continue
        if port.role in known:
            ports.append(port)
        elif not quiet.about(port.role):
            part.complain(key, f"the bench has no {port.role}")
    loss = read_loss(part)
    length_m = part.quantity("length", "m", f"{PATCH_CORD_M:g} m", low=0.0, high=LONGEST_FIBRE_M)
    reflectance_db = part.quantity(
        "reflectance",
        "dB",
        f"{APC_REFLECTANCE_DB:g} dB",
        low=_LEAST_REFLECTANCE_DB,
        high=WORST_REFLECTANCE_DB,
    )
    glass_db = LEAST_GLASS_DB_PER_KM * length_m / 1000.0
    readable = _is_stated(part) and length_m <= LONGEST_FIBRE_M
    if readable and loss.loss_db < glass_db - loss.uncertainty_db - _GLASS_TOLERANCE_DB:
        part.complain(
            "loss",
            f"{loss.loss_db:g} dB is less than {length_m:g} m of glass lose, about {glass_db:.2f} dB at "
            f"{LEAST_GLASS_DB_PER_KM:g} dB/km",
        )
    part.end()
    if len(ports) != 2:
        return None
    return Fibre(ports[0], ports[1], loss.loss_db, loss.uncertainty_db, length_m, reflectance_db)


@dataclass(slots=True)
class _Splitters:
    """``sound``: by name, in the file's order; ``unsound``: names of those whose legs are not known;
    ``unnamed``: how many have a name that cannot be one."""

    sound: list[tuple[str, Splitter]] = field(default_factory=list)
    unsound: set[str] = field(default_factory=set)
    unnamed: int = 0


def _splitters(table: Table, roles: Collection[str]) -> _Splitters:
    read = _Splitters()
    names: set[str] = set()
    for part in table.tables("splitter"):
        name = part.text("name")
        usable = name.isidentifier() and name != MODULE and name not in roles
        if name and not usable:
            part.complain("name", f"{name!r} is no name for a splitter; write one such as tap1")
        elif name in names:
            part.complain("name", f"there is another splitter {name}")
        names.add(name)
        legs = _legs(part)
        part.end()
        if not usable:
            read.unnamed += 1
        elif legs is None:
            read.unsound.add(name)
        else:
            read.sound.append((name, Splitter(name, legs)))
    return read


def _legs(part: Table) -> tuple[Leg, ...] | None:
    """The legs; None when there is no list of them. What is wrong is told once."""
    listed = part.raw("legs")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_LEGS:
        found = "none" if not listed else f"{len(listed)} of them" if isinstance(listed, list) else "no list"
        part.complain("legs", f"expected a list of 1 .. {_MOST_LEGS} legs, found {found}")
        return None
    tables = part.tables("legs")
    stated = len(tables) == len(listed) and all(_is_stated(leg) for leg in tables)
    legs = tuple(_leg(leg) for leg in tables)
    out = Splitter("", legs)
    if stated and out.would_amplify:
        part.complain(
            "legs",
            f"more light would leave by the legs than comes in: {100.0 * out.most_out():.1f} % of it at one "
            "wavelength",
        )
    return legs if len(tables) == len(listed) else None


def _is_stated(part: Table) -> bool:
    """Whether a piece has a loss that can be read; of one that has not nothing more is to be said."""
    try:
        return 0.0 <= parse_quantity(str(part.raw("loss")), "dB") <= HIGHEST_LOSS_DB
    except ValueError:
        return False


def _leg(part: Table) -> Leg:
    low_nm, high_nm = WAVELENGTHS_NM
    loss = read_loss(part)
    wavelength_nm = (
        part.quantity("wavelength", "nm", low=low_nm, high=high_nm) if part.has("wavelength") else None
    )
    part.end()
    return Leg(loss.loss_db, loss.uncertainty_db, wavelength_nm)
