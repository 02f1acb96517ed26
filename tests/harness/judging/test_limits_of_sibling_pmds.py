"""The shipped limits of the sibling PMDs, row by row, as the project knows them.

Each row: parameter, lanes, low, high, grade, force. A value without a stated source is grade D and never
fails a module.
"""

from __future__ import annotations

import pytest

from harness.judging.limits import LIMITS_FOLDER, LayerKind, LimitRow, Rule, available_pmds, limits_of_pmd
from harness.judging.parameters import PARAMETERS


def larger(quantity: str, offset: float, constant: float) -> Rule:
    return Rule("max_offset_of", quantity, offset, constant)


N, NEC, INF, U = "normative", "necessary", "informative", "unverified"
CWDM = [(1264.5, 1277.5), (1284.5, 1297.5), (1304.5, 1317.5), (1324.5, 1337.5)]
CWDM_ROWS = [("wavelength", (lane,), low, high, "A", N) for lane, (low, high) in enumerate(CWDM, start=1)]
O_BAND = ("wavelength", (), 1304.5, 1317.5, "A", N)
BER = [
    ("pre_fec_ber", (), None, 2.4e-4, "C", N),
    ("link_ber", (), None, 2.4e-4, "C", NEC),
    ("soak_ber", (), None, 2.4e-4, "C", NEC),
    ("ber_at_channel_loss", (), None, 2.4e-4, "C", N),
]
FLR = ("frame_loss_ratio", (), None, 1.7e-12, "C", N)
ER = ("extinction_ratio", (), 3.5, None, "D", U)

TABLES: dict[str, list[tuple[object, ...]]] = {
    "400G-FR4": [
        *CWDM_ROWS,
        ("average_launch_power", (), None, 3.5, "A", N),
        ("average_launch_power", (), -3.3, None, "A", NEC),
        ("total_launch_power", (), None, 9.3, "A", N),
        ("lane_power_difference", (), None, 4.0, "A", N),
        ("lane_oma_difference", (), None, 4.0, "D", U),
        ("oma_outer", (), -0.3, 3.7, "A", N),
        ("oma_outer_minus_tdecq", (), -1.7, None, "A", N),
        ("oma_outer_minus_tdecq", (), -1.6, None, "A", N),
        ("tdecq", (), None, 3.4, "A", N),
        ("average_launch_power_off", (), None, -20.0, "B", N),
        ER,
        ("transition_time", (), None, 17.0, "B", N),
        ("rin_oma", (), None, -136.0, "B", N),
        ("damage_threshold", (), 4.5, None, "B", N),
        ("average_receive_power", (), -7.3, None, "A", INF),
        ("receive_lane_power_difference", (), None, 4.1, "B", INF),
        ("receiver_sensitivity_oma", (), None, larger("secq", -6.0, -4.6), "B", INF),
        ("stressed_receiver_sensitivity_oma", (), None, -2.6, "B", N),
        *BER,
        FLR,
    ],
    "400G-LR4-10": [
        *CWDM_ROWS,
        ("average_launch_power", (), None, 5.1, "B", N),
        ("average_launch_power", (), -2.7, None, "B", NEC),
        ("total_launch_power", (), None, 11.1, "B", N),
        ("oma_outer", (), None, 4.4, "A", N),
        ("oma_outer", (), 0.3, None, "A", N),
        ("oma_outer", (), larger("tdecq", -1.1, 0.3), None, "A", N),
        ("oma_outer_minus_tdecq", (), -1.1, None, "A", N),
        ("tdecq", (), None, 3.9, "A", N),
        ER,
        *BER,
        FLR,
        ("advertised_max_power", (), None, 12.0, "B", INF),
    ],
    "100GBASE-DR": [
        O_BAND,
        ("average_launch_power", (), None, 4.0, "C", N),
        ("average_launch_power", (), -2.9, None, "C", NEC),
        ("oma_outer", (), -0.8, 4.2, "C", N),
        ("oma_outer_minus_tdecq", (), -2.2, None, "C", N),
        ("oma_outer_minus_tdecq", (), -1.9, None, "C", N),
        ("tdecq", (), None, 3.4, "C", N),
        ("average_launch_power_off", (), None, -15.0, "D", U),
        ER,
        ("rin_oma", (), None, -136.0, "C", N),
        ("damage_threshold", (), 5.0, None, "D", U),
        ("average_receive_power", (), -5.9, None, "C", INF),
        ("receiver_sensitivity_oma", (), None, larger("secq", -5.3, -3.9), "C", INF),
        ("stressed_receiver_sensitivity_oma", (), None, -1.9, "C", N),
        *BER,
    ],
    "100GBASE-FR1": [
        O_BAND,
        ("average_launch_power", (), None, 4.0, "C", N),
        ("average_launch_power", (), -3.1, None, "C", NEC),
        ("oma_outer", (), -0.1, 4.2, "C", N),
        ("oma_outer_minus_tdecq", (), -1.5, None, "C", N),
        ("oma_outer_minus_tdecq", (), -1.4, None, "C", N),
        ("tdecq", (), None, 3.4, "C", N),
        ("average_launch_power_off", (), None, -15.0, "D", U),
        ER,
        ("rin_oma", (), None, -136.0, "D", U),
        ("damage_threshold", (), 5.0, None, "D", U),
        ("average_receive_power", (), -7.1, None, "C", INF),
        ("receiver_sensitivity_oma", (), None, larger("secq", -5.9, -4.5), "C", INF),
        ("stressed_receiver_sensitivity_oma", (), None, -2.5, "C", N),
        *BER,
    ],
    "100G-LR": [
        O_BAND,
        ("average_launch_power", (), None, 4.5, "B", N),
        ("average_launch_power", (), -1.4, None, "B", NEC),
        ("oma_outer", (), 0.7, 4.7, "B", N),
        ("oma_outer_minus_tdecq", (), -0.7, None, "A", N),
        ("oma_outer_minus_tdecq", (), -0.6, None, "A", N),
        ("tdecq", (), None, 3.4, "C", N),
        ("average_launch_power_off", (), None, -15.0, "B", N),
        ER,
        ("damage_threshold", (), 5.5, None, "B", N),
        ("average_receive_power", (), -7.7, None, "A", INF),
        ("receiver_sensitivity_oma", (), None, larger("secq", -7.5, -6.1), "C", INF),
        ("stressed_receiver_sensitivity_oma", (), None, -4.1, "B", N),
        *BER,
    ],
}
OF_ANY_MODULE = LIMITS_FOLDER / "common" / "module.toml"


def _own_rows(pmd: str) -> list[LimitRow]:
    return [row for layer in limits_of_pmd(pmd).layers if layer.path != OF_ANY_MODULE for row in layer.rows]


@pytest.mark.parametrize("pmd", TABLES)
def test_every_row_and_no_other(pmd):
    found = [(r.parameter, r.lanes, r.low, r.high, r.grade, str(r.force)) for r in _own_rows(pmd)]
    assert found == TABLES[pmd]


def test_the_sets_that_there_are():
    assert set(available_pmds()) == {*TABLES, "400GBASE-DR4", "400GBASE-DR4-2017"}


@pytest.mark.parametrize("pmd", available_pmds())
def test_a_file_is_named_after_its_pmd(pmd):
    path, _ = available_pmds()[pmd]
    assert pmd.startswith(limits_of_pmd(path.stem).pmd)


@pytest.mark.parametrize(
    ("pmd", "kind"), [("400G-FR4", "msa"), ("400G-LR4-10", "msa"), ("100GBASE-DR", "standard")]
)
def test_what_document_a_set_rests_on(pmd, kind):
    assert {row.kind for row in _own_rows(pmd)} == {LayerKind(kind)}


@pytest.mark.parametrize("pmd", available_pmds())
def test_every_row_uses_a_known_parameter_in_its_unit(pmd):
    assert all(row.unit == PARAMETERS[row.parameter].unit for row in limits_of_pmd(pmd).rows)


@pytest.mark.parametrize("pmd", available_pmds())
def test_nothing_in_a_set_stands_in_the_way_of_something_else_in_it(pmd):
    limits = limits_of_pmd(pmd)
    assert {entry.row.place for entry in limits.standing()} == {row.place for row in limits.rows}
    assert not any(entry.overrode for entry in limits.standing())


# -- as a case resolves them --------------------------------------------------------------------------


def bound(pmd: str, parameter: str, side: str, *, lane: int | None = None, **facts: float) -> float | None:
    limit = limits_of_pmd(pmd).resolve(parameter, facts, lane=lane)
    found = getattr(limit, side) if limit is not None else None
    return None if found is None else float(found.value)


@pytest.mark.parametrize("pmd", ["400G-FR4", "400G-LR4-10"])
@pytest.mark.parametrize(("lane", "band"), list(enumerate(CWDM, start=1)))
def test_each_lane_has_its_own_band(pmd, lane, band):
    assert (bound(pmd, "wavelength", "low", lane=lane), bound(pmd, "wavelength", "high", lane=lane)) == band


@pytest.mark.parametrize("lane", [None, 5])
def test_what_is_no_lane_of_the_pmd_has_no_band(lane):
    assert limits_of_pmd("400G-FR4").resolve("wavelength", lane=lane) is None


@pytest.mark.parametrize(
    ("facts", "low"), [({}, 0.3), ({"tdecq": 0.5}, 0.3), ({"tdecq": 1.4}, 0.3), ({"tdecq": 3.9}, 2.8)]
)
def test_oma_of_lr4_follows_tdecq_and_never_goes_below_its_constant(facts, low):
    assert bound("400G-LR4-10", "oma_outer", "low", **facts) == pytest.approx(low)


@pytest.mark.parametrize(
    ("pmd", "secq", "sensitivity"),
    [
        ("400G-FR4", 0.0, -4.6),
        ("400G-FR4", 3.4, -2.6),
        ("100GBASE-DR", 1.0, -3.9),
        ("100GBASE-DR", 3.4, -1.9),
        ("100GBASE-FR1", 1.4, -4.5),
        ("100GBASE-FR1", 3.4, -2.5),
        ("100G-LR", 1.0, -6.1),
        ("100G-LR", 3.4, -4.1),
    ],
)
def test_sensitivity_follows_secq_up_to_the_stressed_one(pmd, secq, sensitivity):
    assert bound(pmd, "receiver_sensitivity_oma", "high", secq=secq) == pytest.approx(sensitivity)
    if secq == 3.4:
        assert bound(pmd, "stressed_receiver_sensitivity_oma", "high") == pytest.approx(sensitivity)


@pytest.mark.parametrize(
    ("pmd", "extinction_ratio", "low"),
    [
        ("400G-FR4", 4.5, -1.7),
        ("400G-FR4", 4.4, -1.6),
        ("400G-LR4-10", 4.0, -1.1),
        ("100GBASE-DR", 5.0, -2.2),
        ("100GBASE-DR", 4.9, -1.9),
        ("100GBASE-FR1", 4.5, -1.5),
        ("100GBASE-FR1", 4.4, -1.4),
        ("100G-LR", 4.4, -0.6),
    ],
)
def test_oma_minus_tdecq_by_class_of_extinction_ratio(pmd, extinction_ratio, low):
    assert bound(pmd, "oma_outer_minus_tdecq", "low", extinction_ratio=extinction_ratio) == low
