"""VDM: the types, the descriptors, samples with their limits, flags and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis import vdm
from drivers.cmis.dump import load_dump
from drivers.cmis.errors import CmisError, NotAdvertisedError, WriteNotTakenError
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.vdm.observables import OBSERVABLES, observable

VDM_PAGES = tuple(range(0x20, 0x30))
WORDS = 64


def descriptor(threshold_set: int, resource: int, type_id: int) -> int:
    return threshold_set << 12 | resource << 8 | type_id


def words(**of_index: int) -> tuple[int, ...]:
    """64 words, of which a few are given: ``words(_0=..., _63=...)``."""
    given_words = {int(name[1:]): value for name, value in of_index.items()}
    return tuple(given_words.get(index, 0) for index in range(WORDS))


def vdm_image(groups: int = 1, **fields: Any) -> MemoryImage:
    image = MemoryImage()
    for page in (0x00, 0x01, *VDM_PAGES):
        image.add_page(0, page)
    values = {"ModuleState": 3, "VDMPagesSupported": 1, "VDMGroupsSupported": groups - 1} | fields
    for name, value in values.items():
        encode(FIELDS[name], value, image)
    return image


class CountingSource:
    """An image that remembers what was read of its upper memory."""

    def __init__(self, image: MemoryImage) -> None:
        self.image = image
        self.reads: list[tuple[int, int, int]] = []

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        if byte >= 128:
            self.reads.append((page, byte, length))
        return self.image.get(bank, page, byte, length)


class ImagePort:
    def __init__(self, image: MemoryImage) -> None:
        self.image = image
        self.written: list[tuple[int, int, bytes]] = []
        self.ignores_writes = False

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.written.append((page, byte, data))
        if not self.ignores_writes:
            self.image.put(bank, page, byte, data)


# --- types


@pytest.mark.parametrize(
    ("type_id", "raw", "value", "unit"),
    [
        (2, 0x8001, -100.0, "%"),
        (3, 0xFFFF, -10.0, "MHz"),
        (4, 0x267D, 38.48828125, "degC"),
        (5, 0x1530, 21.1875, "dB"),
        (9, 0x71EF, 4.95e-8, ""),
        (11, 0x7424, 1.06e-7, ""),
        (13, 0x72E1, 7.37e-8, ""),
        (15, 0x72E6, 7.42e-8, ""),
        (33, 15, 15.0, ""),
        (128, 0xFFFF, 100.0, "%"),
        (135, 0xFFFF, -20.0, "ps/nm"),
        (136, 106, 1.06, "ps"),
        (139, 339, 33.9, "dB"),
        (143, 0xFF36, -2.02, "dBm"),
        (145, 0xFED7, -2.97, "dBm"),
    ],
)
def test_known_samples(type_id: int, raw: int, value: float, unit: str) -> None:
    of_type = OBSERVABLES[type_id]
    assert of_type.decode(raw) == value
    assert of_type.unit == unit
    assert of_type.encode(value) == raw


@given(st.sampled_from(sorted(OBSERVABLES)), st.integers(0, 0xFFFF))
def test_every_sample_of_every_type_survives_decoding_and_encoding(type_id: int, raw: int) -> None:
    of_type = OBSERVABLES[type_id]
    value = of_type.decode(raw)
    assert of_type.decode(of_type.encode(value)) == value
    if of_type.format != "F16":  # which has several codes for one number
        assert of_type.encode(value) == raw


@pytest.mark.parametrize(("type_id", "value"), [(5, -0.1), (5, 256.0), (4, 128.0), (9, -1e-9), (1, 65536.0)])
def test_a_value_that_does_not_fit_is_refused(type_id: int, value: float) -> None:
    with pytest.raises(ValueError, match=r"cannot hold|F16 holds"):
        OBSERVABLES[type_id].encode(value)


def test_a_sample_has_16_bits() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        OBSERVABLES[5].decode(0x10000)


def test_only_minima_maxima_and_averages_are_latched() -> None:
    latched = {type_id for type_id, of_type in OBSERVABLES.items() if of_type.statistic}
    assert latched == {*range(9, 15), *range(17, 23), *range(27, 33)}
    assert {of_type.kind for of_type in OBSERVABLES.values() if of_type.statistic} == {
        "minimum",
        "maximum",
        "average",
    }


def test_media_types_are_odd_and_host_types_even_from_5_to_34() -> None:
    assert all(OBSERVABLES[type_id].side == ("media" if type_id % 2 else "host") for type_id in range(5, 35))


def test_keys_name_one_type_each() -> None:
    assert len({of_type.key for of_type in OBSERVABLES.values()}) == len(OBSERVABLES)


@pytest.mark.parametrize("type_id", [77, 84, 100, 127])
def test_types_whose_scale_is_not_known_are_raw_and_say_so(type_id: int) -> None:
    of_type = observable(type_id)
    assert of_type.uncertain
    assert of_type.unit == ""
    assert of_type.decode(0xABCD) == 0xABCD
    assert "raw" in of_type.name


def test_an_unknown_type_is_raw_and_says_so() -> None:
    assert observable(60).name == "unknown observable type 60, raw"
    assert observable(60).uncertain
    with pytest.raises(ValueError, match=r"1\.\.255"):
        observable(0)


# --- support and descriptors


def test_vdm_pages_are_left_alone_where_they_are_not_advertised() -> None:
    source = CountingSource(vdm_image(VDMPagesSupported=0))
    assert vdm.read_vdm(source) == ()
    assert not vdm.support(source).supported
    assert (
        vdm.support(source).reason == "the module does not advertise VDM (01h:142.6 VDMPagesSupported is 0)"
    )
    assert {page for page, _, _ in source.reads} == {0x01}


def test_a_flat_module_is_not_even_asked_for_page_01h() -> None:
    source = CountingSource(vdm_image(MemoryModel=1))
    assert vdm.advertised(source) == ()
    assert "flat" in vdm.support(source).reason
    assert source.reads == []


def test_descriptors() -> None:
    image = vdm_image(
        groups=2,
        VDMDescriptorsGroup1=words(_0=descriptor(0, 0, 5), _63=descriptor(15, 7, 6)),
        VDMDescriptorsGroup2=words(_0=descriptor(2, 15, 9), _3=descriptor(0, 15, 2)),
        VDMDescriptorsGroup3=words(_0=descriptor(0, 0, 5)),  # beyond the two groups that there are
    )
    instances = vdm.advertised(image)
    assert [item.number for item in instances] == [1, 64, 65, 68]
    assert [item.group for item in instances] == [1, 1, 2, 2]
    assert [item.lane for item in instances] == [1, 8, None, None]
    assert [item.threshold_set for item in instances] == [0, 15, 2, 0]
    assert [item.register for item in instances] == [
        "24h:128-129",
        "24h:254-255",
        "25h:128-129",
        "25h:134-135",
    ]
    assert [item.label for item in instances] == [
        "electrical SNR, media input, lane 1",
        "electrical SNR, host input, lane 8",
        "pre-FEC bit error ratio, minimum, media input",
        "TEC current",
    ]
    assert all(not item.notes for item in instances)


@pytest.mark.parametrize(
    ("resource", "type_id", "note"),
    [(8, 5, "names lane 9; a bank has 8"), (15, 5, "names no lane"), (0, 60, "type 60 is not known")],
)
def test_nonsense_in_a_descriptor_is_noted(resource: int, type_id: int, note: str) -> None:
    image = vdm_image(VDMDescriptorsGroup1=words(_0=descriptor(0, resource, type_id)))
    (instance,) = vdm.advertised(image)
    assert note in instance.notes[0]


@pytest.mark.parametrize(("raw", "interval_s"), [(0, None), (0.01, 0.01), (3.0, 3.0)])
def test_fine_interval(raw: float, interval_s: float | None) -> None:
    assert vdm.support(vdm_image(VDMFineIntervalLength=raw)).fine_interval_s == interval_s


# --- readings


def snr_image(**fields: Any) -> MemoryImage:
    """SNR on lanes 1 and 3 (instances 2 and 5) with threshold set 3, and a statistic at instance 7."""
    return vdm_image(
        **{
            "VDMDescriptorsGroup1": words(
                _1=descriptor(3, 0, 5), _4=descriptor(3, 2, 5), _6=descriptor(4, 15, 9)
            ),
            "VDMSamplesGroup1": words(_1=0x1530, _4=0x0900, _6=0x71EF),
            "VDMThresholdsGroup1": words(_12=0x2000, _13=0x1000, _14=0x1E00, _15=0x1200, _16=0x8000),
        }
        | fields
    )


def test_samples_come_with_the_thresholds_of_their_set() -> None:
    good, bad, ber = vdm.read_vdm(snr_image())
    assert good.value == 21.1875
    assert good.unit == "dB"
    assert good.thresholds is not None
    assert (good.thresholds.high_alarm, good.thresholds.low_alarm) == (32.0, 16.0)
    assert (good.thresholds.high_warning, good.thresholds.low_warning) == (30.0, 18.0)
    assert (good.state, bad.state) == ("ok", "alarm")
    assert bad.value == 9.0
    assert ber.value == 4.95e-8
    assert ber.thresholds is not None
    assert ber.thresholds.high_alarm == 0.0  # F16 8000h: mantissa 0
    assert ber.state == "no thresholds"


def test_a_warning_is_less_than_an_alarm() -> None:
    image = snr_image(VDMSamplesGroup1=words(_1=0x1100, _4=0x1F00))
    assert [item.state for item in vdm.read_vdm(image)[:2]] == ["warning", "warning"]


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        ((0, 0, 0, 0), "no thresholds"),
        ((0x1000, 0x2000, 0x1000, 0x2000), "no thresholds"),  # low above high
        ((0, 0, 0x2000, 0x1600), "warning"),  # one pair is enough
    ],
)
def test_thresholds_that_make_no_sense_are_not_used(limits: tuple[int, ...], state: str) -> None:
    image = snr_image(VDMThresholdsGroup1=words(_12=limits[0], _13=limits[1], _14=limits[2], _15=limits[3]))
    first = vdm.read_vdm(image)[0]
    assert first.value == 21.1875
    assert first.state == state


def test_a_level_transition_parameter_of_ffffh_is_no_value() -> None:
    image = vdm_image(
        VDMDescriptorsGroup1=words(_0=descriptor(0, 0, 7), _1=descriptor(0, 0, 5)),
        VDMSamplesGroup1=words(_0=0xFFFF, _1=0xFFFF),
    )
    ltp, snr = vdm.read_vdm(image)
    assert (ltp.value, ltp.valid, ltp.raw, ltp.state) == (None, False, 0xFFFF, "no value")
    assert "24h:128-129 reads FFFFh" in ltp.reason
    assert snr.valid
    assert snr.value == pytest.approx(255.996, abs=1e-3)


def test_a_bit_error_ratio_above_one_is_not_valid() -> None:
    image = vdm_image(VDMDescriptorsGroup1=words(_0=descriptor(0, 0, 15)), VDMSamplesGroup1=words(_0=0xFFFF))
    (reading,) = vdm.read_vdm(image)
    assert not reading.valid
    assert "a ratio is at most 1" in reading.reason


def test_no_more_is_read_than_is_used() -> None:
    source = CountingSource(snr_image())
    instances = vdm.advertised(source)
    source.reads.clear()
    vdm.read_vdm(source, instances=instances)
    assert source.reads == [(0x24, 130, 12), (0x28, 152, 16)]
    source.reads.clear()
    vdm.read_vdm(source, instances=instances, statistics=True, thresholds=False)
    assert source.reads == [(0x24, 140, 2)]
    source.reads.clear()
    assert [item.instance.number for item in vdm.read_vdm(source, instances=instances, statistics=False)] == [
        2,
        5,
    ]


def test_missing_pages_leave_gaps_and_say_so() -> None:
    whole = snr_image(VDMGroupsSupported=1, VDMDescriptorsGroup2=words(_0=descriptor(0, 0, 5)))
    image = MemoryImage(
        whole.get(0, 0, 0, 128),
        {key: whole.get(*key, 128, 128) for key in whole.pages() if key[1] not in (0x25, 0x28)},
    )
    first, *_, last = vdm.read_vdm(image)
    assert first.value == 21.1875
    assert first.thresholds is None
    assert last.value is None
    assert not last.valid
    assert "page 25h" in last.reason


@given(st.dictionaries(st.sampled_from(VDM_PAGES), st.binary(min_size=128, max_size=128)), st.booleans())
def test_whatever_the_pages_hold_nothing_but_library_errors_come(
    pages: dict[int, bytes], advertised: bool
) -> None:
    image = MemoryImage(None if not pages else bytes(128))
    image.add_page(0, 0x01)
    encode(FIELDS["VDMPagesSupported"], int(advertised), image)
    for page, data in pages.items():
        image.add_page(0, page, data)
    try:
        readings = vdm.read_vdm(image, flags=True)
    except CmisError:
        return
    for reading in readings:
        assert reading.state in ("ok", "warning", "alarm", "no thresholds", "no value")
        assert reading.instance.label


# --- flags and masks


def test_flags_are_read_only_when_asked_and_only_of_what_is_used() -> None:
    nibbles = [0] * 64
    nibbles[1], nibbles[4], nibbles[20] = 0b0101, 0b1010, 0b1111  # 20 is no instance
    source = CountingSource(snr_image(VDMFlagsGroup1=tuple(nibbles)))
    assert all(item.flags is None for item in vdm.read_vdm(source))
    assert not any(page == 0x2C for page, _, _ in source.reads)
    first, second, third = vdm.read_vdm(source, flags=True)
    assert first.flags == ("high alarm", "high warning")
    assert second.flags == ("low alarm", "low warning")
    assert third.flags == ()
    assert [read for read in source.reads if read[0] == 0x2C] == [(0x2C, 128, 4)]


def test_flags_of_the_second_group_are_where_they_belong() -> None:
    nibbles = tuple(2 if index == 63 else 0 for index in range(64))
    image = vdm_image(groups=2, VDMDescriptorsGroup2=words(_63=descriptor(0, 0, 5)), VDMFlagsGroup2=nibbles)
    assert image.get(0, 0x2C, 191, 1) == b"\x20"
    (flag,) = vdm.vdm_flags(image)
    assert (flag.instance.number, flag.sides) == (128, ("low alarm",))


def test_masks_keep_the_other_instance_of_their_byte(clock: Any) -> None:
    port = ImagePort(snr_image(VDMMasksGroup1=(0xF,) * 64))
    module = CmisModule(port, clock)
    vdm.set_vdm_masks(module, {2: (), 5: ("low alarm", "low warning")})
    assert port.written == [(0x2D, 128, b"\x0f"), (0x2D, 130, b"\xfa")]
    assert vdm.read_vdm_masks(module.registers) == {2: (), 5: ("low alarm", "low warning"), 7: vdm.SIDES}


def test_masks_that_are_not_taken_are_told(clock: Any) -> None:
    port = ImagePort(snr_image(VDMMasksGroup1=(0xF,) * 64))
    port.ignores_writes = True
    with pytest.raises(WriteNotTakenError, match="2Dh:128"):
        vdm.set_vdm_masks(CmisModule(port, clock), {1: ()})


@pytest.mark.parametrize("masks", [{0: ()}, {257: ()}, {1: ("high",)}])
def test_masks_of_what_there_is_not_are_the_callers_mistake(masks: Any, clock: Any) -> None:
    port = ImagePort(snr_image())
    with pytest.raises(ValueError, match=r"VDM instances|sides"):
        vdm.set_vdm_masks(CmisModule(port, clock), masks)
    assert port.written == []


def test_masks_of_groups_that_the_module_does_not_have(clock: Any) -> None:
    port = ImagePort(snr_image())
    with pytest.raises(NotAdvertisedError, match="the module has 64"):
        vdm.set_vdm_masks(CmisModule(port, clock), {65: ()})
    assert port.written == []


# --- real modules


def readings_of(dump_folder: Path, name: str) -> dict[tuple[str, int | None], vdm.VdmReading]:
    image = load_dump(dump_folder / f"{name}.json").image
    return {(item.instance.observable.key, item.instance.lane): item for item in vdm.read_vdm(image)}


def test_a_real_400g_lr4_module(dump_folder: Path) -> None:
    found = readings_of(dump_folder, "400g-lr4")
    assert len(found) == 24
    assert found["snr_media", 1].value == 21.1875
    assert found["ltp_media", 3].value is None  # FFFFh
    assert found["ltp_media", 1].value == pytest.approx(39.902, abs=1e-3)
    assert found["prefec_ber_min_media", None].value == 4.95e-8
    assert found["prefec_ber_max_media", None].value == 1.06e-7
    assert found["prefec_ber_avg_media", None].value == 7.37e-8
    assert found["prefec_ber_current_media", None].value == 7.42e-8
    assert found["prefec_ber_max_host", None].value == 5.67e-5
    assert all(item.thresholds is None for item in found.values())  # the dump has no page 28h
    assert vdm.support(load_dump(dump_folder / "400g-lr4.json").image).fine_interval_s == 3.0


def test_a_real_800g_zr_module_makes_sense(dump_folder: Path) -> None:
    found = readings_of(dump_folder, "800g-zr")
    value = {key: item.value for (key, _), item in found.items()}
    assert value["laser_temperature"] == pytest.approx(38.488, abs=1e-3)
    assert value["osnr"] == 33.9
    assert value["esnr"] == 15.6
    assert value["snr_media"] == pytest.approx(15.547, abs=1e-3)  # the same quantity by another type
    assert (value["cd_fine"], value["cd_coarse"]) == (1.0, 0.0)  # a short patch cord
    assert (value["dgd"], value["pdl"]) == (1.06, 0.9)
    assert (value["sopmd"], value["sopmd_coarse"]) == (69.0, 69.0)
    assert (value["tx_power"], value["rx_total_power"], value["rx_signal_power"]) == (-2.02, -2.07, -2.97)
    assert value["mer"] == 16.0
    low, average, high = (value[f"prefec_ber_{kind}_media"] for kind in ("min", "avg", "max"))
    assert low is not None
    assert average is not None
    assert high is not None
    assert low < average < high < 4e-4
    assert all(28.0 < (found["ltp_host", lane].value or 0.0) < 65.0 for lane in range(1, 9))


def test_flags_of_a_real_800g_zr_module(dump_folder: Path) -> None:
    image = load_dump(dump_folder / "800g-zr.json").image
    assert {flag.instance.observable.key: flag.sides for flag in vdm.vdm_flags(image)} == {
        "tx_power": ("low warning",),
        "rx_total_power": ("low alarm", "low warning"),
        "rx_signal_power": ("low alarm", "low warning"),
    }


def test_a_module_that_mirrors_page_00h_is_not_taken_to_have_vdm(dump_folder: Path) -> None:
    image = load_dump(dump_folder / "2x400g-fr4-lpo.json").image
    assert image.has(0, 0x20)
    assert vdm.read_vdm(image, flags=True) == ()
    assert "does not advertise VDM" in vdm.support(image).reason
