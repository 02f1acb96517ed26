"""Every VISA driver has a simulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.catalogue import info, names
from harness.simulation.peers.catalogue import PEERS, build_peer


def test_every_visa_driver_has_a_peer():
    assert set(PEERS) == {name for name in names() if info(name).transport == "visa"}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_the_driver_connects_to_its_peer_and_makes_it_safe(small_bench, name):
    driver = small_bench.open(name, transport="INSTR", peer_options={"serial": "S42"})
    assert driver.identify().serial == "S42"
    assert all(step.safe for step in driver.make_safe())
    assert driver.drain_errors() == ()


def test_unknown_drivers_and_options(small_bench):
    with pytest.raises(ValueError, match="no simulated instrument"):
        build_peer("toaster", small_bench.world, small_bench.surroundings, "role")
    with pytest.raises(ValueError, match="colour"):
        build_peer("polatis", small_bench.world, small_bench.surroundings, "role", {"colour": "red"})
