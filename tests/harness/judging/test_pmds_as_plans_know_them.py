"""What plans ask of a PMD beside its limits, and the names of what they measure."""

from __future__ import annotations

import pytest

from drivers.cmis.codes import media_interface_name
from harness.judging.limits import available_pmds, load_limits
from harness.judging.parameters import FACTS, PARAMETERS, parameter_rows
from harness.judging.pmd import DEFAULT_PMD, pmd_by_name
from harness.tables import TableError

O_BAND = (1304.5, 1317.5)
CWDM = ((1264.5, 1277.5), (1284.5, 1297.5), O_BAND, (1324.5, 1337.5))


@pytest.mark.parametrize(
    ("name", "code", "bands", "multiplexed", "reach_m", "loss_db", "er_class_db", "reflection_db"),
    [
        ("400GBASE-DR4", 0x1C, (O_BAND,) * 4, False, 500.0, 3.0, 5.0, 21.4),
        ("400GBASE-DR4-2017", 0x1C, (O_BAND,) * 4, False, 500.0, 3.0, 5.0, 21.4),
        ("400G-FR4", 0x1D, CWDM, True, 2000.0, 4.0, 4.5, 17.1),
        ("400G-LR4-10", 0x1E, CWDM, True, 10000.0, 6.3, None, None),
        ("100GBASE-DR", 0x14, (O_BAND,), False, 500.0, 3.0, 5.0, 15.5),
        ("100GBASE-FR1", 0x15, (O_BAND,), False, 2000.0, 4.0, 4.5, 17.1),
        ("100G-LR", 0x16, (O_BAND,), False, 10000.0, 6.3, 4.5, None),
    ],
)
def test_a_pmd(name, code, bands, multiplexed, reach_m, loss_db, er_class_db, reflection_db):
    pmd = pmd_by_name(name.lower())
    assert pmd.name == name
    assert pmd.media_interface == media_interface_name(2, code)  # single-mode media
    assert (pmd.wavelength_ranges_nm, pmd.lanes, pmd.multiplexed) == (bands, len(bands), multiplexed)
    assert pmd.lane_numbers() == tuple(range(1, len(bands) + 1))
    assert (pmd.reach_m, pmd.channel_insertion_loss_db) == (reach_m, loss_db)
    assert (pmd.extinction_ratio_class_db, pmd.back_reflection_db) == (er_class_db, reflection_db)
    assert (pmd.symbol_rate_bd, pmd.modulation, pmd.fec) == (53.125e9, "PAM4", "RS(544,514)")
    assert pmd.connector == ("MPO-12 APC" if "DR4" in name else "duplex LC")


def test_stress_is_stated_where_it_is_known():
    dr4, lr4 = pmd_by_name(DEFAULT_PMD), pmd_by_name("400G-LR4-10")
    assert (dr4.stressed_secq_db, dr4.aggressor_oma_dbm) == (3.4, 4.2)
    assert (lr4.stressed_secq_db, lr4.aggressor_oma_dbm) == (None, None)


def test_every_set_of_limits_is_a_pmd():
    assert {pmd_by_name(name).name for name in available_pmds()} == set(available_pmds())


def test_an_unknown_pmd_names_those_there_are():
    with pytest.raises(TableError, match=r"unknown PMD '400GBASE-XX'; there are .*400G-FR4"):
        pmd_by_name("400GBASE-XX")


OPTICS = """schema = 1
layer = "standard"
pmd = "X"
edition = "1"
document = "Doc"
[optics]
media_interface = "x"
lanes = 2
multiplexed = true
connector = "LC"
modulation = "PAM4"
symbol_rate_gbd = 53.125
fec = "KP4"
reach_m = 500
channel_insertion_loss_db = 3.0
"""
LANE_1 = """[[limit]]
parameter = "wavelength"
lanes = [1]
low = 1.0
high = 2.0
clause = "1"
grade = "A"
force = "normative"
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("", ""), "optics.lanes: lane 2 has no limits of the parameter wavelength, low and high"),
        (("lanes = 2", "lanes = 99"), "optics.lanes: 99 is not within 1 .. 16"),
        (('modulation = "PAM4"', 'modulation = "NRZ"'), "optics.modulation: 'NRZ' is not one of PAM4"),
        (("reach_m = 500", "reach_m = 0"), "optics.reach_m: 0 is not above 0"),
        (("lanes = 2", 'lanes = 1\ncolour = "red"'), "optics.colour: unknown key"),
    ],
)
def test_mistakes_in_the_table_of_a_pmd(tmp_path, change, expected):
    path = tmp_path / "x.toml"
    path.write_text((OPTICS + LANE_1).replace(*change))
    with pytest.raises(TableError) as raised:
        load_limits([path])
    assert any(line.startswith(f"x.toml: {expected}") for line in raised.value.complaints)


# -- names --------------------------------------------------------------------------------------------


def test_each_parameter_has_one_name_a_title_and_a_unit():
    assert [name for name, *_ in parameter_rows()] == list(PARAMETERS)
    assert all(name.isidentifier() and name == name.lower() for name in PARAMETERS)
    titles = [entry.title for entry in PARAMETERS.values()]
    assert len(set(titles)) == len(titles)
    assert all(fact.unit and fact.meaning for fact in FACTS.values())


@pytest.mark.parametrize(
    "name", ["average_launch_power", "average_launch_power_off", "tx_power_monitor_error"]
)
def test_names_that_run_folders_hold_stay(name):
    assert name in PARAMETERS
