"""Every driver over VISA or a serial line has a simulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.catalogue import info, names
from harness.simulation.peers.catalogue import PEERS, build_peer

WITHOUT_SERIAL_NUMBER = {"espec-p300"}  # has no command that tells it


def test_every_driver_of_a_message_based_instrument_has_a_peer():
    assert set(PEERS) == {name for name in names() if info(name).transport in ("visa", "serial")}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_the_driver_connects_to_its_peer_and_makes_it_safe(small_bench, name):
    driver = small_bench.open(name, transport="INSTR", peer_options={"serial": "S42"})
    assert driver.identify().serial == ("" if name in WITHOUT_SERIAL_NUMBER else "S42")
    assert all(step.safe for step in driver.make_safe())
    assert driver.drain_errors() == ()


def test_unknown_drivers_and_options(small_bench):
    with pytest.raises(ValueError, match="no simulated instrument"):
        build_peer("toaster", small_bench.world, small_bench.surroundings, "role")
    with pytest.raises(ValueError, match="colour"):
        build_peer("polatis", small_bench.world, small_bench.surroundings, "role", {"colour": "red"})
