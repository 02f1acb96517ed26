"""What a PMD is, beside its limits: the ``[optics]`` table of the lowest layer of its limit file."""

from __future__ import annotations

from dataclasses import dataclass

from harness.tables import Table

_MOST_LANES = 16
_MODULATIONS = ("PAM4",)


@dataclass(frozen=True, slots=True)
class Pmd:
    """A PMD, in the edition of its limits.

    ``name``: as ``--pmd`` takes it. ``media_interface``: its name among the SFF-8024 media interface codes.
    ``multiplexed``: all lanes share one fibre each way. ``wavelength_ranges_nm``: (low, high) of each lane,
    from the limits. ``symbol_rate_bd``, ``modulation``, ``fec``: of a lane. ``reach_m``,
    ``channel_insertion_loss_db``: of the link. ``extinction_ratio_class_db``: where OMAouter - TDECQ has
    another limit; None: nowhere. ``stressed_secq_db``: at which stressed sensitivity is meant, and
    ``aggressor_oma_dbm``: the other lanes' OMAouter then. ``back_reflection_db``: optical return loss under
    which RIN-OMA is meant. None: not known to this project.
    """

    name: str
    media_interface: str
    lanes: int
    multiplexed: bool
    connector: str
    modulation: str
    symbol_rate_bd: float
    fec: str
    reach_m: float
    channel_insertion_loss_db: float
    extinction_ratio_class_db: float | None
    stressed_secq_db: float | None
    aggressor_oma_dbm: float | None
    back_reflection_db: float | None
    wavelength_ranges_nm: tuple[tuple[float, float], ...]

    def lane_numbers(self) -> tuple[int, ...]:
        """Media lanes, from 1."""
        return tuple(range(1, self.lanes + 1))

    def lane_wavelength_nm(self, lane: int) -> float:
        """The middle of the range that a lane's wavelength must be in."""
        return sum(self.wavelength_ranges_nm[lane - 1]) / 2.0

    @property
    def wavelengths_in_one_fibre_nm(self) -> dict[int, float]:
        """Of the lanes, where all share a fibre; empty where each has its own."""
        return {lane: self.lane_wavelength_nm(lane) for lane in self.lane_numbers() if self.multiplexed}


def read_pmd(table: Table, *, name: str, wavelength_ranges_nm: dict[int, tuple[float, float]]) -> Pmd:
    """Read the table. ``wavelength_ranges_nm``: by lane, 0: all lanes. Mistakes are the table's to tell."""
    lanes = table.integer("lanes", low=1, high=_MOST_LANES)
    ranges = []
    for lane in range(1, lanes + 1):
        found = wavelength_ranges_nm.get(lane, wavelength_ranges_nm.get(0))
        if found is None:
            table.complain("lanes", f"lane {lane} has no limits of the parameter wavelength, low and high")
            break
        ranges.append(found)
    pmd = Pmd(
        name=name,
        media_interface=table.text("media_interface"),
        lanes=lanes,
        multiplexed=table.boolean("multiplexed"),
        connector=table.text("connector"),
        modulation=table.text("modulation", choices=_MODULATIONS),
        symbol_rate_bd=_positive(table, "symbol_rate_gbd") * 1e9,
        fec=table.text("fec"),
        reach_m=_positive(table, "reach_m"),
        channel_insertion_loss_db=_positive(table, "channel_insertion_loss_db"),
        extinction_ratio_class_db=table.optional_number("extinction_ratio_class_db"),
        stressed_secq_db=table.optional_number("stressed_secq_db"),
        aggressor_oma_dbm=table.optional_number("aggressor_oma_dbm"),
        back_reflection_db=table.optional_number("back_reflection_db"),
        wavelength_ranges_nm=tuple(ranges),
    )
    table.end()
    return pmd


def _positive(table: Table, key: str) -> float:
    value = table.number(key)
    if table.has(key) and value <= 0.0:
        table.complain(key, f"{value:g} is not above 0")
    return value
