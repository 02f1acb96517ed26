"""Limit files: one TOML file is one layer of limits. Files are the user's: one line per mistake, with file
and key."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from pathlib import Path

from harness.judging.layers import APPLIES_TO_KEYS, AppliesTo, Layer, Waiver, layer_text
from harness.judging.limit_rows import GRADES, RULES, SIDES, Force, LayerKind, LimitRow, Rule, Side, When
from harness.judging.parameters import FACTS, PARAMETERS
from harness.judging.pmd_table import Pmd, read_pmd
from harness.tables import Table, did_you_mean, read_table

ANY_PMD = "*"
_MOST_ROWS = 1000
_HIGHEST_LANE = 16
_FORCES = tuple(str(force) for force in Force)
# What a layer of each kind must say of the modules it is for; of other kinds it may say nothing.
_NEEDED_OF_MODULE: dict[LayerKind, tuple[str, ...]] = {
    LayerKind.VENDOR: (),
    LayerKind.PART_NUMBER: ("part_number",),
    LayerKind.FIRMWARE: ("part_number", "firmware"),
    LayerKind.WAIVER: (),
}


def read_layer(path: Path, *, edition: str | None = None, on: datetime.date | None = None) -> Layer:
    """Read one layer. ``edition``: the key of one of its editions (default: its first). ``on``: the day on
    which waivers must hold (default: today, UTC).

    :raises TableError: with one line per mistake, naming file and key.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    word = table.text("layer", choices=[str(kind) for kind in LayerKind])
    kind = LayerKind(word) if word in set(LayerKind) else LayerKind.STANDARD
    name = table.text("name", "")
    pmd = table.text("pmd")
    document = table.text("document")
    editions = _editions(table, kind)
    chosen = edition if edition is not None else next(iter(editions))
    if chosen not in editions:
        table.complain("editions", f"there is no edition {chosen!r}; there are {', '.join(editions)}")
    waivers = _waivers(table, kind, on or datetime.datetime.now(datetime.UTC).date())
    rows = _rows(
        table,
        kind=kind,
        layer=layer_text(kind, name),
        document=document,
        editions=editions,
        chosen=chosen,
        waivers={waiver.name for waiver in waivers},
        file=path.name,
    )
    layer = Layer(
        kind=kind,
        name=name,
        pmd=pmd,
        edition=editions.get(chosen, ""),
        document=document,
        note=table.text("note", ""),
        applies_to=_applies_to(table, kind),
        rows=rows,
        waivers=waivers,
        physical=_physical(table, pmd, edition, rows),
        path=path,
        sha256=table.sha256,
    )
    table.end()
    table.finish()
    return layer


def edition_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file's editions, its default first; one that has but one edition gives "".

    :raises TableError: when it is no TOML file.
    """
    table = read_table(path)
    return table.table("editions").names() if table.has("editions") else ("",)


def _editions(table: Table, kind: LayerKind) -> dict[str, str]:
    """Key to edition in words, the default first."""
    if not table.has("editions"):
        # A standard without its edition is no source.
        needed = kind in {LayerKind.STANDARD, LayerKind.MSA}
        return {"": table.text("edition") if needed else table.text("edition", "")}
    entries = table.table("editions")
    found = {key: entries.text(key) for key in entries.names()}
    if not found:
        table.complain("editions", "names no edition")
    return found or {"": ""}


def _physical(table: Table, pmd: str, edition: str | None, rows: tuple[LimitRow, ...]) -> Pmd | None:
    if not table.has("optics"):
        return None
    ranges: dict[int, tuple[float, float]] = {}
    for row in rows:
        if row.parameter == "wavelength" and isinstance(row.low, float) and isinstance(row.high, float):
            ranges |= dict.fromkeys(row.lanes or (0,), (row.low, row.high))
    name = f"{pmd}-{edition}".upper() if edition else pmd
    return read_pmd(table.table("optics"), name=name, wavelength_ranges_nm=ranges)


def _applies_to(table: Table, kind: LayerKind) -> AppliesTo | None:
    needed = _NEEDED_OF_MODULE.get(kind)
    if needed is None:
        if table.has("applies_to"):
            table.raw("applies_to")
            table.complain("applies_to", f"a layer of the kind {kind} is for every module")
        return None
    if not table.has("applies_to") and not needed:
        return None
    entry = table.table("applies_to")
    stated = {
        key: entry.text(key) if key in needed else entry.text(key, "")
        for key in APPLIES_TO_KEYS
        if key in needed or entry.has(key)
    }
    for key, pattern in stated.items():
        if entry.has(key) and not pattern.strip():
            entry.complain(key, "is empty: it would match nothing that says who it is")
    if not stated:
        entry.complain("", f"names none of {', '.join(APPLIES_TO_KEYS)}")
    entry.end()
    return AppliesTo(**stated)


def _waivers(table: Table, kind: LayerKind, on: datetime.date) -> tuple[Waiver, ...]:
    if kind is not LayerKind.WAIVER:
        return ()
    found: dict[str, Waiver] = {}
    for entry in table.tables("waiver"):
        waiver = Waiver(
            name=entry.text("name"),
            reason=entry.text("reason"),
            expires=entry.date("expires"),
            granted_by=entry.text("granted_by", ""),
        )
        for key in ("name", "reason"):
            if entry.has(key) and not entry.text(key).strip():
                entry.complain(key, "is empty")
        if waiver.name in found:
            entry.complain("name", f"{waiver.name!r} is the name of a waiver before")
        if datetime.date.min < waiver.expires < on:
            entry.complain(
                "expires",
                f"the waiver {waiver.name!r} expired on {waiver.expires.isoformat()}; have it renewed, or do "
                f"not give this file",
            )
        entry.end()
        found[waiver.name] = waiver
    if not found:
        table.complain(
            "waiver", "is missing; a layer of the kind waiver says whose leave it is, why, until when"
        )
    return tuple(found.values())


def _rows(
    table: Table,
    *,
    kind: LayerKind,
    layer: str,
    document: str,
    editions: dict[str, str],
    chosen: str,
    waivers: Collection[str],
    file: str,
) -> tuple[LimitRow, ...]:
    rows: list[LimitRow] = []
    entries = table.tables("limit")
    if len(entries) > _MOST_ROWS:
        table.complain("limit", f"has more than {_MOST_ROWS} rows")
        entries = entries[:_MOST_ROWS]
    used: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        wanted = _editions_of_row(entry, editions)
        waiver = ""
        if kind is LayerKind.WAIVER:
            waiver = entry.text("waiver", choices=waivers)
            used.add(waiver)
        row = _row(
            entry,
            kind=kind,
            layer=layer,
            document=document,
            edition=editions.get(chosen, ""),
            waiver=waiver,
            place=f"{file}: limit[{number}]",
        )
        if wanted and chosen not in wanted:
            continue
        _complain_of_twin(entry, row, rows)
        rows.append(row)
    for name in sorted(set(waivers) - used):
        table.complain("waiver", f"no row of this file rests on {name!r}")
    return tuple(rows)


def _complain_of_twin(entry: Table, row: LimitRow, rows: list[LimitRow]) -> None:
    """Two numbers for one thing in one file are a mistake."""
    for other in rows:
        if (other.parameter, other.when, other.lanes) == (row.parameter, row.when, row.lanes):
            for side in SIDES:
                if isinstance(row.side(side), float) and isinstance(other.side(side), float):
                    where = other.place.rpartition(" ")[2]
                    entry.complain(
                        side, f"{row.parameter} has {side} = {other.side(side):g} in {where} already"
                    )


def _editions_of_row(entry: Table, editions: dict[str, str]) -> tuple[str, ...]:
    if not entry.has("editions"):
        return ()
    listed = entry.listed("editions")
    if listed is None:
        return ()
    found = tuple(listed.text(key, choices=editions) for key in listed.names())
    if not found:
        entry.complain("editions", "names no edition; leave it out for all of them")
    return found


def _row(
    entry: Table, *, kind: LayerKind, layer: str, document: str, edition: str, waiver: str, place: str
) -> LimitRow:
    grade = entry.text("grade", choices=GRADES)
    force = entry.text("force", choices=_FORCES)
    if grade == "D" and force not in {"unverified", "informative"}:
        entry.complain("force", "a grade D value is not verified and must not fail a module: use unverified")
    low, high = _side(entry, "low"), _side(entry, "high")
    if low is None and high is None:
        entry.complain("low", "a limit needs low, high or both")
    elif isinstance(low, float) and isinstance(high, float) and low > high:
        entry.complain("low", f"{low:g} is above high, {high:g}: nothing can keep to it")
    parameter, title, unit = _named(entry)
    row = LimitRow(
        parameter=parameter,
        title=title,
        unit=unit,
        low=low,
        high=high,
        grade=grade,
        force=Force(force) if force in set(Force) else Force.UNVERIFIED,
        source=f"{entry.text('document', document)}, {entry.text('clause')}",
        layer=layer,
        note=entry.text("note", ""),
        when=_when(entry),
        kind=kind,
        lanes=_lanes(entry),
        # The layer's edition says nothing of another document.
        edition=entry.text("edition", "" if entry.has("document") else edition),
        waiver=waiver,
        place=place,
    )
    entry.end()
    return row


def _named(entry: Table) -> tuple[str, str, str]:
    """Parameter, title and unit."""
    name = entry.text("parameter")
    known = PARAMETERS.get(name)
    if known is not None:
        unit = entry.text("unit", known.unit)
        if unit != known.unit:
            entry.complain("unit", f"{name} is measured in {known.unit}, not in {unit}")
        return name, entry.text("title", known.title), known.unit
    if entry.has("parameter") and (near := did_you_mean(name, PARAMETERS)):
        entry.complain("parameter", f"{name!r} is not known; {near}")
        entry.text("title", ""), entry.text("unit", "")
        return name, name, ""
    if not entry.has("parameter"):
        entry.text("title", ""), entry.text("unit", "")
        return name, name, ""
    return name, entry.text("title"), entry.text("unit")


def _lanes(entry: Table) -> tuple[int, ...]:
    if not entry.has("lanes"):
        return ()
    listed = entry.listed("lanes")
    if listed is None:
        return ()
    lanes = tuple(listed.integer(key, low=1, high=_HIGHEST_LANE) for key in listed.names())
    if not lanes:
        entry.complain("lanes", "names no lane; leave it out for all of them")
    return tuple(sorted(set(lanes)))


def _side(entry: Table, key: Side) -> float | Rule | None:
    rule_key = f"{key}_rule"
    if not entry.has(rule_key):
        return entry.optional_number(key)
    table = entry.table(rule_key)
    name = table.text("name", choices=RULES)
    rule = Rule(name, _quantity(table), table.number("offset", 0.0), table.optional_number("constant"))
    if name == "max_offset_of" and rule.constant is None:
        table.complain("constant", "is missing; the rule max_offset_of needs it")
    table.end()
    return rule


def _quantity(table: Table) -> str:
    """A fact of the case. A plan may give facts of its own, so that only a near miss is a mistake."""
    name = table.text("quantity")
    if name and name not in FACTS and (near := did_you_mean(name, FACTS)):
        table.complain("quantity", f"{name!r} is not known; {near}")
    return name


def _when(entry: Table) -> When | None:
    if not entry.has("when"):
        return None
    table = entry.table("when")
    when = When(_quantity(table), table.optional_number("at_least"), table.optional_number("below"))
    if when.at_least is None and when.below is None:
        table.complain("at_least", "a condition needs at_least, below or both")
    elif when.at_least is not None and when.below is not None and when.at_least >= when.below:
        table.complain("below", f"{when.below:g} is not above at_least, {when.at_least:g}: it never holds")
    table.end()
    return when
