"""Every profile that is shipped: described without doubts, brought up, broken out, measured, updated by the
host library, or refused with what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis import codes
from drivers.cmis.application import all_data_paths, breakout
from drivers.cmis.bringup import BringUpResult, bring_up
from drivers.cmis.cdb import CdbSession, update_firmware
from drivers.cmis.configuration import active_data_paths, configure, free
from drivers.cmis.description import describe
from drivers.cmis.diagnostics import Diagnostics, Side
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.cmis.snapshot import take_snapshot
from harness.simulation.module.commands.firmware import make_image
from harness.simulation.module.profile import Profile, load_profile, profile_names

if TYPE_CHECKING:
    from conftest import ModuleBench

    MakeBench = Callable[..., ModuleBench]

# What stands in the way of bringing these up, as the host says it.
STOPPED = {
    "flat-dac": "flat: the module has no data paths",
    "dr4-lane2-stuck-config": "host lane 2, 11h:202-205 ConfigStatus",
}
# Lanes whose monitor of the launch power is beyond its thresholds.
FLAGGED = {("dr4-lane3-weak", 3), ("dr4-monitor-off", 1)}
NAMES = profile_names()
COMING_UP = tuple(name for name in NAMES if name not in STOPPED)


def media_interface(profile: Profile, app_sel: int = 1) -> str:
    code = profile.applications[app_sel - 1].media_interface
    return codes.media_interface_name(profile.identity.media_type, code)


def brought_up(bench: ModuleBench) -> tuple[CmisModule, BringUpResult]:
    bench.host.connect()
    bench.module.supply_changed()
    module = CmisModule(bench.host.memory, bench.clock)
    name = media_interface(bench.module.profile)
    return module, bring_up(module, bench.host.pins, bench.clock, media_interface=name)


def test_the_profiles_that_are_asked_for_are_there() -> None:
    asked = "good-dr4 good-dr4-osfp dr4-breakout good-fr4 good-lr4 cmis-3.0-dr4 cmis-5.3-dr4 flat-dac"
    assert set(asked.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_described_without_doubts(make_bench: MakeBench, name: str) -> None:
    profile = load_profile(name)
    bench = make_bench(profile)
    module, _ = brought_up(bench)
    description = describe(take_snapshot(module).image)
    assert description["doubts"] == []
    assert description["notes"] == []
    assert all(checksum["ok"] for checksum in description["checksums"])
    assert len(description["applications"]) == len(profile.applications)
    assert not any("unknown" in application["media_interface"] for application in description["applications"])
    assert not any("unknown" in application["host_interface"] for application in description["applications"])
    identity = module.identity()
    assert identity.part_number == profile.identity.part_number
    assert identity.date_code == profile.identity.date_code


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_comes_up_or_the_host_says_why_not(make_bench: MakeBench, name: str) -> None:
    bench = make_bench(name)
    module, result = brought_up(bench)
    if name in STOPPED:
        assert not result.ok
        assert STOPPED[name] in result.stopped_by
        return
    assert result.ok, result.stopped_by
    bench.clock.sleep(1.0)
    monitors = module.lane_monitors()[: bench.module.profile.media_lanes]
    thresholds = module.thresholds()["tx_power_w"]
    for lane in monitors:
        assert bench.module.launch_power_w(lane.lane) > 0.1e-3
        assert lane.tx_power_w is not None
        if (name, lane.lane) not in FLAGGED:
            assert thresholds.verdict(lane.tx_power_w) == "ok"


@pytest.mark.parametrize("name", COMING_UP)
def test_every_application_of_a_profile_can_be_configured(make_bench: MakeBench, name: str) -> None:
    bench = make_bench(name)
    module, _ = brought_up(bench)
    for application in module.applications():
        placed = all_data_paths(application)
        assert placed
        # First nothing: data paths on other host lanes may hold the same media lanes.
        assert free(module, [lane for path in active_data_paths(module) for lane in path.host_lanes]).ok
        result = configure(module, [placement.request for placement in placed])
        assert result.ok, (application, result.stopped_by)
        running = active_data_paths(module)
        assert [path.host_lanes for path in running] == [placement.host_lanes for placement in placed]


@pytest.mark.parametrize("name", COMING_UP)
def test_a_profile_that_offers_100g_is_broken_out(make_bench: MakeBench, name: str) -> None:
    bench = make_bench(name)
    module, _ = brought_up(bench)
    applications = module.applications()
    if not any(application.media_interface == "100GBASE-DR" for application in applications):
        with pytest.raises(CmisError, match="100GBASE-DR"):
            breakout(applications, "4x100GBASE-DR")
        return
    wanted = breakout(applications, "4x100GBASE-DR", host_interface="100GAUI-2 C2M")
    result = configure(module, wanted, displace=True)
    assert result.ok, result.stopped_by
    assert [path.host_lanes for path in active_data_paths(module)] == [(1, 2), (3, 4), (5, 6), (7, 8)]


@pytest.mark.parametrize("name", COMING_UP)
def test_ber_is_measured_in_a_loopback_where_diagnostics_are_advertised(
    make_bench: MakeBench, name: str
) -> None:
    bench = make_bench(name)
    module, _ = brought_up(bench)
    if not bench.module.profile.diagnostics.supported:
        with pytest.raises(NotAdvertisedError, match="DiagnosticPagesSupported"):
            Diagnostics(module).capabilities()
        return
    with ModulePrbs(module, side=Side.MEDIA, loopback=True) as bert:
        bert.start_pattern("PRBS31Q")
        found = bert.measure_errors(bert.lanes, 5.0)
    assert [lane.lane for lane in found] == list(range(1, bench.module.profile.media_lanes + 1))
    for lane in found:
        assert lane.locked
        assert lane.ber is not None
        assert lane.ber < 1e-8
        assert lane.bits > 4e11


@pytest.mark.parametrize("name", NAMES)
def test_firmware_is_updated_where_cdb_is_advertised(make_bench: MakeBench, name: str) -> None:
    profile = load_profile(name)
    bench = make_bench(profile)
    bench.host.connect()
    bench.module.supply_changed()
    bench.clock.sleep(2.0)
    module = CmisModule(bench.host.memory, bench.clock)
    session = CdbSession(module)
    image = make_image((7, 3), target=profile.identity.part_number, size=2000)
    if not profile.cdb.supported:
        with pytest.raises(CmisError, match="CDB"):
            update_firmware(session, image)
        return
    unlock = None
    if profile.cdb.password_required:
        unlock = lambda: session.enter_password(profile.cdb.host_password)  # noqa: E731
    result = update_firmware(session, image, unlock=unlock)
    assert result.ok
    assert module.identity().firmware == "7.3"


@pytest.mark.parametrize(
    ("name", "lowest_dbm", "highest_dbm", "wavelengths_nm"),
    [
        ("good-dr4", -2.9, 4.0, ((1304.5, 1317.5),) * 4),
        ("good-fr4", -3.3, 3.5, ((1264.5, 1277.5), (1284.5, 1297.5), (1304.5, 1317.5), (1324.5, 1337.5))),
        ("good-lr4", -2.7, 5.1, ((1264.5, 1277.5), (1284.5, 1297.5), (1304.5, 1317.5), (1324.5, 1337.5))),
    ],
)
def test_good_optics_keep_the_limits_of_their_standard_from_0_to_70_c(
    make_bench: MakeBench,
    name: str,
    lowest_dbm: float,
    highest_dbm: float,
    wavelengths_nm: tuple[tuple[float, float], ...],
) -> None:
    """Average launch power and wavelength: 802.3 Table 124-6, the 400G-FR4 and 400G-LR4-10 MSA."""
    bench = make_bench(name)
    brought_up(bench)
    for case_c in (0.0, 25.0, 70.0):
        bench.surroundings.case_c = case_c
        bench.clock.sleep(1.0)
        for lane, (shortest_nm, longest_nm) in enumerate(wavelengths_nm, start=1):
            power_w = bench.module.launch_power_w(lane)
            assert 10 ** (lowest_dbm / 10) < power_w * 1e3 < 10 ** (highest_dbm / 10)
            assert shortest_nm < bench.module.wavelength_nm(lane) < longest_nm


def test_the_dac_says_what_cable_it_is(make_bench: MakeBench) -> None:
    bench = make_bench("flat-dac")
    module, _ = brought_up(bench)
    description = describe(take_snapshot(module).image)
    assert description["media"]["cable_length_m"] == 2.0
    assert module.identity().media_type == "passive copper cable"
    assert bench.module.consumption_w() < 0.25
    assert [bench.read(f"CopperAttenuationAt{at}") for at in ("5GHz", "25p8GHz")] == [6, 17]
