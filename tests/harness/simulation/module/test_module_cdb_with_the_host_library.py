"""The host's firmware update against the simulated module: two readings of the same specification agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.cdb import CdbSession, update_firmware
from drivers.cmis.errors import FirmwareUpdateError
from drivers.cmis.module import CmisModule
from harness.simulation.module.commands.firmware import make_image

if TYPE_CHECKING:
    from conftest import RawCdb

    MakeCdb = Callable[..., RawCdb]


def session_of(cdb: RawCdb) -> CdbSession:
    return CdbSession(CmisModule(cdb.bench.host.memory, cdb.bench.clock))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"trigger_any_write": False, "auto_paging": False},
        {"epl_pages": 0, "length_extension": 0},
        {"background": False},
        {"completion_flag": False, "nack_every_n_writes": 7},
        {"start_max_s": 100.0, "max_busy_s": 4.0},
    ],
    ids=["background", "exact trigger", "LPL", "foreground", "flaky", "slow"],
)
def test_an_update_ends_with_the_new_image_committed(make_cdb: MakeCdb, options: dict[str, object]) -> None:
    cdb = make_cdb(**options)
    result = update_firmware(session_of(cdb), make_image((2, 5), size=3000, erased_bytes=500))
    assert result.ok
    assert cdb.read(39, 2) == b"\x02\x05"
    assert cdb.run(0x0100)[1][0] == 0b0011_0000  # B runs and is committed, A is valid and idle


def test_the_password_is_entered_again_after_the_restart(make_cdb: MakeCdb) -> None:
    cdb = make_cdb("dr4-foreground-cdb")
    session = session_of(cdb)
    result = update_firmware(session, make_image(size=1000), unlock=lambda: session.enter_password(0x1011))
    assert result.ok
    assert cdb.read(39, 2) == b"\x02\x05"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (make_image(target="OTHER", size=1000), "64h"),
        (b"\0" * 1000, "61h"),
        (make_image(size=1000)[:-1] + b"\0", "62h"),
    ],
    ids=["other product", "foreign", "damaged"],
)
def test_a_wrong_image_is_reported_and_the_old_one_stays(make_cdb: MakeCdb, image: bytes, said: str) -> None:
    cdb = make_cdb()
    with pytest.raises(FirmwareUpdateError, match=said):
        update_firmware(session_of(cdb), image)
    assert cdb.run(0x0100)[1][0] & 0b11 == 0b11
    assert cdb.read(39, 2) == b"\x01\x04"
