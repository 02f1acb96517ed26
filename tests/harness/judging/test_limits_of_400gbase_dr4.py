"""The shipped limits of 400GBASE-DR4, row by row against Tables 124-6 and 124-7 as the project knows them.

Each row: parameter, low, high, unit, grade, force. A limit that is added, lost or changed shows here.
"""

from __future__ import annotations

import pytest

from harness.judging.limits import (
    LIMITS_FOLDER,
    Force,
    LayerKind,
    LimitRow,
    Rule,
    available_pmds,
    limits_of_pmd,
)
from harness.tables import TableError

SET = limits_of_pmd("400GBASE-DR4")
SET_2017 = limits_of_pmd("400GBASE-DR4-2017")

SECQ_RULE = Rule("max_offset_of", "secq", -5.3, -3.9)
TABLE_124_6 = [
    ("signalling_rate_offset", -100.0, 100.0, "ppm", "A", "normative"),
    ("wavelength", 1304.5, 1317.5, "nm", "A", "normative"),
    ("smsr", 30.0, None, "dB", "A", "normative"),
    ("average_launch_power", None, 4.0, "dBm", "A", "normative"),
    ("average_launch_power", -2.9, None, "dBm", "A", "necessary"),
    ("oma_outer", -0.8, 4.2, "dBm", "A", "normative"),
    ("oma_outer_minus_tdecq", -2.2, None, "dBm", "A", "normative"),
    ("oma_outer_minus_tdecq", -1.9, None, "dBm", "A", "normative"),
    ("tdecq", None, 3.4, "dB", "A", "normative"),
    ("tdecq_minus_ceq", None, 3.4, "dB", "B", "normative"),
    ("average_launch_power_off", None, -15.0, "dBm", "A", "normative"),
    ("extinction_ratio", 3.5, None, "dB", "A", "normative"),
    ("transition_time", None, 17.0, "ps", "B", "normative"),
    ("rin_oma", None, -136.0, "dB/Hz", "A", "normative"),
    ("optical_return_loss_tolerance", None, 21.4, "dB", "B", "normative"),
    ("transmitter_reflectance", None, -26.0, "dB", "A", "normative"),
]
TABLE_124_7 = [
    ("damage_threshold", 5.0, None, "dBm", "A", "normative"),
    ("average_receive_power", -5.9, 4.0, "dBm", "A", "informative"),
    ("receive_oma_outer", None, 4.2, "dBm", "B", "informative"),
    ("receiver_reflectance", None, -26.0, "dB", "B", "normative"),
    ("receiver_sensitivity_oma", None, SECQ_RULE, "dBm", "C", "informative"),
    ("stressed_receiver_sensitivity_oma", None, -1.9, "dBm", "A", "normative"),
    ("stressed_sensitivity_weaker_aggressors", None, -1.9, "dBm", "A", "necessary"),
]
OF_ANY_MODULE = [
    ("tx_power_monitor_error", -3.0, 3.0, "dB", "B", "normative"),
    ("rx_power_monitor_error", -3.0, 3.0, "dB", "B", "normative"),
    ("temperature_monitor_error", -3.0, 3.0, "K", "B", "normative"),
    ("vcc_monitor_error", -3.0, 3.0, "%", "B", "normative"),
    ("bias_monitor_error", -10.0, 10.0, "%", "B", "normative"),
    ("case_temperature", 0.0, 70.0, "degC", "B", "informative"),
    ("supply_voltage", 3.135, 3.465, "V", "B", "informative"),
    ("power_consumption", None, Rule("advertised", "max_power_w", 0.0, None), "W", "A", "normative"),
    ("power_class_consumption", None, Rule("advertised", "power_class_w", 0.0, None), "W", "D", "unverified"),
    ("bring_up_time", None, 100.0, "%", "A", "normative"),
    # What the module advertises of its own times, and what CMIS gives it.
    ("dp_init_share", None, 100.0, "%", "A", "normative"),
    ("dp_deinit_share", None, 100.0, "%", "A", "normative"),
    ("dp_tx_turn_on_share", None, 100.0, "%", "A", "normative"),
    ("dp_tx_turn_off_share", None, 100.0, "%", "A", "normative"),
    ("module_power_up_share", None, 100.0, "%", "A", "normative"),
    ("module_power_down_share", None, 100.0, "%", "A", "normative"),
    ("management_init_share", None, 100.0, "%", "A", "normative"),
    ("hold_off_after_write", None, 100.0, "%", "A", "normative"),
    ("hold_off_after_page_change", None, 100.0, "%", "A", "normative"),
    ("low_power_consumption", None, 1.5, "W", "D", "unverified"),
]
ELSEWHERE = [
    ("pre_fec_ber", None, 2.4e-4, "1", "A", "normative"),
    ("ber_at_channel_loss", None, 2.4e-4, "1", "A", "normative"),
    ("overload_ber", None, 2.4e-4, "1", "A", "normative"),
    ("link_ber", None, 0.00024, "1", "A", "necessary"),
    ("soak_ber", None, 0.00024, "1", "A", "necessary"),
    ("frame_loss_ratio", None, 1.7e-12, "1", "C", "normative"),
    ("advertised_max_power", None, 12.0, "W", "B", "informative"),
    ("los_assert", -15.0, None, "dBm", "B", "informative"),
    ("los_deassert", None, -10.0, "dBm", "B", "informative"),
    ("los_hysteresis", 0.5, None, "dB", "B", "informative"),
    *OF_ANY_MODULE,
]


def _as_tuple(row: LimitRow) -> tuple[object, ...]:
    return (row.parameter, row.low, row.high, row.unit, row.grade, str(row.force))


@pytest.mark.parametrize("expected", [*TABLE_124_6, *TABLE_124_7, *ELSEWHERE], ids=lambda row: f"{row[:3]}")
def test_a_row(expected):
    assert expected in [_as_tuple(row) for row in SET.rows]


def test_there_are_no_other_rows():
    assert sorted(map(repr, map(_as_tuple, SET.rows))) == sorted(
        map(repr, [*TABLE_124_6, *TABLE_124_7, *ELSEWHERE])
    )


@pytest.mark.parametrize("row", SET.rows, ids=lambda row: f"{row.parameter} {row.low} {row.high}")
def test_every_row_says_who_says_so(row):
    table = {name: "Table 124-6" for name, *_ in TABLE_124_6} | {
        name: "Table 124-7" for name, *_ in TABLE_124_7
    }
    document = "IEEE 802.3" if row.parameter in table else ""
    assert row.source.startswith(document)
    assert table.get(row.parameter, "") in row.source
    assert row.title
    assert row.layer == "standard"


# What only one edition has: the other rows are in both.
ONLY_LATER = [
    ("tdecq_minus_ceq", None, 3.4, "dB", "B", "normative"),
    ("transition_time", None, 17.0, "ps", "B", "normative"),
    ("receiver_sensitivity_oma", None, SECQ_RULE, "dBm", "C", "informative"),
]
ONLY_2017 = [("receiver_sensitivity_oma", None, -4.4, "dBm", "B", "informative")]


def test_the_2017_edition_differs_in_these_rows_and_no_others():
    later, of_2017 = [_as_tuple(row) for row in SET.rows], [_as_tuple(row) for row in SET_2017.rows]
    assert [row for row in later if row not in of_2017] == ONLY_LATER
    assert [row for row in of_2017 if row not in later] == ONLY_2017


def test_a_row_of_one_edition_says_so_in_its_clause():
    assert {row.parameter for row in SET.rows if "later editions" in row.source} == {
        name for name, *_ in ONLY_LATER
    }
    assert [row.parameter for row in SET_2017.rows if "2017 edition" in row.source] == [
        "receiver_sensitivity_oma"
    ]


def test_each_set_names_its_edition_and_pmd():
    assert (SET.pmd, SET.edition) == ("400GBASE-DR4", "later editions of IEEE 802.3")
    assert (SET_2017.pmd, SET_2017.edition) == ("400GBASE-DR4-2017", "2017 edition (IEEE 802.3bs)")
    assert {row.edition for row in SET.rows if row.source.startswith("IEEE")} == {SET.edition}
    assert {layer.kind for layer in SET.layers} == {LayerKind.STANDARD}
    assert set(SET.files) == {LIMITS_FOLDER / "400gbase-dr4.toml", LIMITS_FOLDER / "common" / "module.toml"}


# -- as a case resolves them --------------------------------------------------------------------------


def test_launch_power_has_a_necessary_minimum_and_a_normative_maximum():
    limit = SET.resolve("average_launch_power")
    assert limit is not None
    assert limit.low is not None
    assert limit.high is not None
    assert (limit.low.value, limit.low.force) == (-2.9, Force.NECESSARY)
    assert (limit.high.value, limit.high.force) == (4.0, Force.NORMATIVE)
    assert limit.unit == "dBm"


@pytest.mark.parametrize(("extinction_ratio", "low"), [(3.5, -1.9), (4.999, -1.9), (5.0, -2.2), (9.0, -2.2)])
def test_oma_minus_tdecq_depends_on_the_extinction_ratio(extinction_ratio, low):
    limit = SET.resolve("oma_outer_minus_tdecq", {"extinction_ratio": extinction_ratio})
    assert limit is not None
    assert limit.low is not None
    assert limit.low.value == low


def test_without_an_extinction_ratio_there_is_no_limit_of_it():
    assert SET.resolve("oma_outer_minus_tdecq") is None


@pytest.mark.parametrize(("secq", "high"), [(0.9, -3.9), (1.4, -3.9), (1.5, -3.8), (3.4, -1.9)])
def test_sensitivity_follows_secq(secq, high):
    limit = SET.resolve("receiver_sensitivity_oma", {"secq": secq})
    assert limit is not None
    assert limit.high is not None
    assert limit.high.value == pytest.approx(high)
    assert not limit.high.force.binds


def test_sensitivity_at_the_stressed_secq_is_the_stressed_sensitivity():
    sensitivity = SET.resolve("receiver_sensitivity_oma", {"secq": 3.4})
    stressed = SET.resolve("stressed_receiver_sensitivity_oma")
    assert sensitivity is not None
    assert stressed is not None
    assert sensitivity.high is not None
    assert stressed.high is not None
    assert sensitivity.high.value == pytest.approx(stressed.high.value)
    assert stressed.high.force.binds


def test_consumption_is_limited_by_what_the_module_says_of_itself():
    limit = SET.resolve("power_consumption", {"max_power_w": 9.5})
    assert limit is not None
    assert limit.high is not None
    assert limit.high.value == 9.5
    assert SET.resolve("power_consumption") is None


def test_receive_levels_never_fail_a_module():
    # They are conditions of the bench: too little light is its fault.
    for parameter in ("average_receive_power", "receive_oma_outer", "los_assert", "los_deassert"):
        limit = SET.resolve(parameter)
        assert limit is not None
        assert all(not side.force.binds for side in (limit.low, limit.high) if side is not None)


def test_pmds_are_found_by_name_in_any_case():
    assert limits_of_pmd("400gbase-dr4").pmd == "400GBASE-DR4"
    assert limits_of_pmd("400gbase-dr4-2017") == SET_2017
    assert available_pmds()["400GBASE-DR4"][0] == available_pmds()["400GBASE-DR4-2017"][0]
    with pytest.raises(
        TableError, match=r"no limits for '400GBASE-SR8'; there are limits for .*400GBASE-DR4-2017"
    ):
        limits_of_pmd("400GBASE-SR8")


@pytest.mark.parametrize("extinction_ratio_db", [float("nan"), float("inf")])
def test_no_limit_is_chosen_by_what_is_no_number(extinction_ratio_db):
    with pytest.raises(ValueError, match="extinction_ratio, which a limit may depend on, is no finite"):
        SET.resolve("oma_outer_minus_tdecq", {"extinction_ratio": extinction_ratio_db})
