"""What a module says about itself, read through the field tables from any source of bytes.

A source is anything with ``get(bank, page, byte, length)``: an image of a dump, or a live module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cmis import codes
from drivers.cmis.errors import InvalidMemoryError, PageUnavailableError
from drivers.cmis.fields import LANES, Field, ReadableImage, Value, decode
from drivers.cmis.memory_map import FIELDS
from drivers.units import dbm_from_w

END_OF_APPLICATIONS = 0xFF


@dataclass(frozen=True, slots=True)
class ModuleIdentity:
    """Who the module says it is. Texts are untrusted, but printable."""

    identifier: str
    identifier_code: int
    cmis_revision: str
    vendor: str
    oui: str
    part_number: str
    revision: str
    serial_number: str
    date_code: str
    power_class: int
    max_power_w: float
    connector: str
    media_type: str
    media_technology: str
    firmware: str
    flat_memory: bool


@dataclass(frozen=True, slots=True)
class Application:
    """One advertised application. Lanes are counted from 1.

    ``host_lane_starts``: host lanes on which a data path may begin. ``media_lane_starts`` likewise,
    empty where the module has no page 01h.
    """

    app_sel: int
    host_interface: str
    host_interface_code: int
    media_interface: str
    media_interface_code: int
    host_lanes: int
    media_lanes: int
    host_lane_starts: tuple[int, ...]
    media_lane_starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LaneMonitor:
    """Monitors of one media lane (1..8). None: the module does not have that monitor, or gives the bias
    current with the reserved multiplier code."""

    lane: int
    tx_power_w: float | None
    rx_power_w: float | None
    bias_ma: float | None

    @property
    def tx_power_dbm(self) -> float | None:
        """Launched power, dBm."""
        return None if self.tx_power_w is None else dbm_from_w(self.tx_power_w)

    @property
    def rx_power_dbm(self) -> float | None:
        """Received power, dBm: average or OMA, as 01h:151.4 says."""
        return None if self.rx_power_w is None else dbm_from_w(self.rx_power_w)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of one monitor, in the unit of its name."""

    high_alarm: float
    low_alarm: float
    high_warning: float
    low_warning: float

    @property
    def problem(self) -> str:
        """Why a value cannot be judged by these limits; empty when it can, by one pair of them at least.

        A pair counts only if its high limit lies above its low one: modules leave limits they do not use
        at 0, and some hold what makes no sense.
        """
        if self._alarms_set or self._warnings_set:
            return ""
        every = (self.high_alarm, self.low_alarm, self.high_warning, self.low_warning)
        if not any(every):
            return "all thresholds are 0"
        return (
            f"low thresholds are not below high ones (alarm {self.low_alarm:g} to {self.high_alarm:g}, "
            f"warning {self.low_warning:g} to {self.high_warning:g})"
        )

    @property
    def _alarms_set(self) -> bool:
        return self.high_alarm > self.low_alarm

    @property
    def _warnings_set(self) -> bool:
        return self.high_warning > self.low_warning

    def verdict(self, value: float) -> str:
        """``ok``, or which limit the value lies beyond; ``not set`` when no pair of limits can be used."""
        if self.problem:
            return "not set"
        for beyond, text in (
            (self._alarms_set and value > self.high_alarm, "high alarm"),
            (self._alarms_set and value < self.low_alarm, "low alarm"),
            (self._warnings_set and value > self.high_warning, "high warning"),
            (self._warnings_set and value < self.low_warning, "low warning"),
        ):
            if beyond:
                return text
        return "ok"


@dataclass(frozen=True, slots=True)
class Reach:
    """Supported length of the medium; None where it is not given."""

    smf_km: float | None
    om5_m: float | None
    om4_m: float | None
    om3_m: float | None
    om2_m: float | None


def field_named(name: str) -> Field:
    """The field of this name.

    :raises ValueError: when there is none; names some that are spelt alike.
    """
    try:
        return FIELDS[name]
    except KeyError:
        raise ValueError(f"there is no field called {name!r}{_alike(name)}") from None


def _alike(name: str) -> str:
    import difflib  # for whoever mistypes only

    by_lower_case = {known.lower(): known for known in FIELDS}
    found = [by_lower_case[text] for text in difflib.get_close_matches(name.lower(), by_lower_case)]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def get(source: ReadableImage, name: str, bank: int = 0) -> Value:
    """Value of a field by its name.

    :raises ValueError: when there is no field of this name.
    """
    return decode(field_named(name), source, bank)


def get_int(source: ReadableImage, name: str, bank: int = 0) -> int:
    """Value of a field that is an integer."""
    value = get(source, name, bank)
    if not isinstance(value, int):
        raise TypeError(f"{name} is not an integer field")
    return value


def get_float(source: ReadableImage, name: str, bank: int = 0) -> float:
    """Value of a field that is a number."""
    value = get(source, name, bank)
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} is not a numeric field")
    return float(value)


def get_text(source: ReadableImage, name: str) -> str:
    """Value of a field that is text."""
    value = get(source, name)
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text field")
    return value


def get_lanes(source: ReadableImage, name: str, bank: int = 0) -> tuple[float, ...]:
    """Numbers (or truth values as 0 and 1) of a field that has one for each lane."""
    value = get(source, name, bank)
    if not isinstance(value, tuple):
        raise TypeError(f"{name} is not a lane field")
    return tuple(item for item in value if isinstance(item, (int, float)))


def get_codes(source: ReadableImage, name: str, bank: int = 0) -> tuple[int, ...]:
    """Integers of a field that has one for each lane."""
    return tuple(int(item) for item in get_lanes(source, name, bank))


def lanes_set(source: ReadableImage, name: str, bank: int = 0) -> tuple[int, ...]:
    """Lanes (1..8) whose bit is set."""
    return tuple(lane for lane, bit in enumerate(get_lanes(source, name, bank), start=1) if bit)


def read_identity(source: ReadableImage) -> ModuleIdentity:
    """Identity from lower memory and page 00h.

    :raises PageUnavailableError: without one of the two.
    """
    identifier = get_int(source, "SFF8024Identifier")
    oui = get(source, "VendorOUI")
    return ModuleIdentity(
        identifier=codes.meaning("identifier", identifier),
        identifier_code=identifier,
        cmis_revision=f"{get_int(source, 'CmisRevisionMajor')}.{get_int(source, 'CmisRevisionMinor')}",
        vendor=get_text(source, "VendorName"),
        oui=oui.hex("-").upper() if isinstance(oui, bytes) else "",
        part_number=get_text(source, "VendorPN"),
        revision=get_text(source, "VendorRev"),
        serial_number=get_text(source, "VendorSN"),
        date_code=get_text(source, "DateCode"),
        power_class=get_int(source, "ModulePowerClass"),
        max_power_w=get_float(source, "MaxPower"),
        connector=codes.meaning("connector", get_int(source, "ConnectorType")),
        media_type=codes.meaning("media_type", get_int(source, "MediaType")),
        media_technology=codes.meaning("media_technology", get_int(source, "MediaInterfaceTechnology")),
        firmware=_firmware(source),
        flat_memory=bool(get_int(source, "MemoryModel")),
    )


def _firmware(source: ReadableImage) -> str:
    major = get_int(source, "ModuleActiveFirmwareMajorRevision")
    minor = get_int(source, "ModuleActiveFirmwareMinorRevision")
    if (major, minor) == (0, 0):
        return "none reported"
    if (major, minor) == (0xFF, 0xFF):
        return "invalid image"
    return f"{major}.{minor}"


def is_copper(source: ReadableImage) -> bool:
    """Whether the medium is copper, by media type and technology."""
    return (
        get_int(source, "MediaType") in (codes.MediaType.PASSIVE_COPPER, codes.MediaType.BASE_T)
        or 0x0A <= get_int(source, "MediaInterfaceTechnology") <= 0x0F
    )


def read_applications(source: ReadableImage) -> tuple[Application, ...]:
    """Advertised applications, in AppSel order; empty when the module advertises none.

    Descriptors 9 to 15 are on page 01h and are left out where a module has no such page.
    """
    media_type = get_int(source, "MediaType")
    found = []
    for app_sel in range(1, 16):
        try:
            host = get_int(source, f"HostInterfaceIDApp{app_sel}")
        except PageUnavailableError:
            break
        if host == END_OF_APPLICATIONS:
            break
        media = get_int(source, f"MediaInterfaceIDApp{app_sel}")
        application = Application(
            app_sel=app_sel,
            host_interface=codes.meaning("host_interface", host),
            host_interface_code=host,
            media_interface=codes.media_interface_name(media_type, media),
            media_interface_code=media,
            host_lanes=get_int(source, f"HostLaneCountApp{app_sel}"),
            media_lanes=get_int(source, f"MediaLaneCountApp{app_sel}"),
            host_lane_starts=lanes_set(source, f"HostLaneAssignmentOptionsApp{app_sel}"),
            media_lane_starts=_media_lane_starts(source, app_sel),
        )
        if host or media or application.host_lanes or application.media_lanes:  # else: an empty descriptor
            found.append(application)
    return tuple(found)


def _media_lane_starts(source: ReadableImage, app_sel: int) -> tuple[int, ...]:
    try:
        return lanes_set(source, f"MediaLaneAssignmentOptionsApp{app_sel}")
    except PageUnavailableError:
        return ()


def media_lanes_present(source: ReadableImage) -> tuple[int, ...]:
    """Media lanes (1..8) that are implemented (00h:210)."""
    absent = lanes_set(source, "MediaLaneUnsupported")
    return tuple(lane for lane in range(1, LANES + 1) if lane not in absent)


def bias_multiplier(source: ReadableImage) -> int:
    """Factor of bias currents and their thresholds: 1, 2 or 4 (01h:160.4-3).

    :raises InvalidMemoryError: for the reserved code 3.
    """
    code = get_int(source, "TxBiasCurrentScalingFactor")
    if code not in codes.BIAS_MULTIPLIERS:
        raise InvalidMemoryError(f"TxBiasCurrentScalingFactor (01h:160.4-3) holds {code}, which is reserved")
    return codes.BIAS_MULTIPLIERS[code]


def read_lane_monitors(source: ReadableImage, bank: int = 0) -> tuple[LaneMonitor, ...]:
    """Monitors of the 8 media lanes of a bank, as far as page 01h says that they exist.

    :raises PageUnavailableError: without pages 01h and 11h.
    """
    empty: tuple[float | None, ...] = (None,) * LANES
    tx = get_lanes(source, "TxPower", bank) if get_int(source, "TxOpticalPowerMonSupported") else empty
    rx = get_lanes(source, "RxPower", bank) if get_int(source, "RxOpticalPowerMonSupported") else empty
    bias = empty
    if get_int(source, "TxBiasMonSupported"):
        try:
            factor = bias_multiplier(source)
        except InvalidMemoryError:
            pass  # a current with an unknown factor is no current; the powers still count
        else:
            bias = tuple(factor * current_ma for current_ma in get_lanes(source, "TxBias", bank))
    return tuple(
        LaneMonitor(lane, tx[lane - 1], rx[lane - 1], bias[lane - 1]) for lane in range(1, LANES + 1)
    )


def read_thresholds(source: ReadableImage) -> Mapping[str, Thresholds]:
    """Limits of page 02h: ``temperature_c``, ``vcc_v``, ``tx_power_w``, ``tx_bias_ma``, ``rx_power_w``.

    ``tx_bias_ma`` is missing when its multiplier is the reserved code.

    :raises PageUnavailableError: without pages 01h and 02h.
    """
    found = {}
    for key, monitor in (
        ("temperature_c", "TempMon"),
        ("vcc_v", "VccMon"),
        ("tx_power_w", "TxPower"),
        ("tx_bias_ma", "TxBias"),
        ("rx_power_w", "RxPower"),
    ):
        try:
            factor = bias_multiplier(source) if key == "tx_bias_ma" else 1
        except InvalidMemoryError:
            continue
        sides = (
            factor * get_float(source, f"{monitor}{side}Threshold")
            for side in ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
        )
        found[key] = Thresholds(*sides)
    return found


def read_reach(source: ReadableImage) -> Reach:
    """Supported fibre lengths of page 01h.

    :raises PageUnavailableError: without page 01h.
    """
    code = get_int(source, "LengthMultiplierSMF")
    factor_km = codes.SMF_LENGTH_MULTIPLIERS_KM.get(code)
    if factor_km is None:
        factor_km = codes.SMF_LENGTH_MULTIPLIERS_2_KM[get_int(source, "LengthMultiplierSMF2")]
    return Reach(
        smf_km=factor_km * get_int(source, "BaseLengthSMF") or None,
        om5_m=get_float(source, "LengthOM5") or None,
        om4_m=get_float(source, "LengthOM4") or None,
        om3_m=get_float(source, "LengthOM3") or None,
        om2_m=get_float(source, "LengthOM2") or None,
    )


def read_cable_length_m(source: ReadableImage) -> float | None:
    """Length of a cable assembly (00h:202), metres; None for a separable medium, infinity for > 6300 m."""
    base, code = get_int(source, "CableAssemblyLengthBase"), get_int(source, "CableAssemblyLengthMultiplier")
    if base == 0:
        return None
    if (code, base) == (3, 0x3F):
        return float("inf")
    return codes.CABLE_LENGTH_MULTIPLIERS_M[code] * base
