"""Keysight FlexDCA: the software of N1092 sampling oscilloscopes and of the N1000A mainframe.

Never run on hardware by this project. Commands, by how well they are known (section 1.4 of the instrument
notes): from Keysight's programming guide: measurements are installed and asked for with their source, the
children ``:STATus?`` (CORR, INV, QUES) and ``:STATus:REASon?``, ``:MEASure:EYE:CEQ``, ``:TRIGger:PLOCk``,
``:SIRC`` filters, ``:MEASure:OSCilloscope:VRMS``, ``:WAVeform:SOURce``, ``:WAVeform:XYFormat:FLOat:YDATa?``
(float32; its byte order by ``:SYSTem:BORDER``) and that a pattern waveform is to be taken as XY data, for its
points need not be equally spaced; seen in public drivers only: ``:CRECovery``, ``:SYSTem:MODE``,
``:SYSTem:AUToscale``, ``:FUNCtion:FOPerator TEQualizer`` and its ``:SPRocess``, ``:MEASure:TDEQ`` settings,
``:MEASure:EYE:TDEQ``, ``OOMA``, ``OER``, ``APOWer``, ``:LTESt:ACQuire``, ``:ACQuire:EPATtern``,
``:WAVeform:PATTern:COMPlete?``, ``:TIMebase:UIRange``, the error queue's ``STRing``; uncertain:
``:ACQuire:SPUI`` (older: ``SPBit``) and its ``MODE MANual``, the form of ``:WAVeform:STATus?``'s reply,
``:TRIGger:PLENgth:AUTodetect``, that ``PLOCk?`` tells a lock and not a wish, ``PAM:LINearity`` being RLM as
802.3 defines it, ``CEQ`` and ``OER`` answering in dB, ``TALimit`` being percent of OMAouter, free run as
``FRUN``, ``VRMS`` answering in watts on an optical channel, what ``*IDN?`` calls each model, and all ranges.
No command is known that tells a channel's noise: see :meth:`FlexDca.noise_w`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InvalidReadingError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
    UnsupportedError,
)
from drivers.interfaces import CapturedWaveform, EyeReading, Identity, SafetyStep
from drivers.replies import float32_values, is_not_a_number
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Reading, Setting, Switch, Whole, Words, set_all

__all__ = ["EDITIONS", "FlexDca", "TdecqSettings"]

_POLL_S = 0.5
_CHANNEL_NAMES = tuple(f"{slot}{letter}" for slot in range(1, 9) for letter in "ABCD")
_RESET_LIMIT_S = 60.0
_RELOCK_LIMIT_S = 60.0
_PATTERN_LOCK_LIMIT_S = 120.0
_AUTOSCALE_LIMIT_S = 60.0
_LONGEST_REASON = 200
_IMPLAUSIBLE_W = 0.1
"""20 dBm, far above what an input survives: such a number is no power in watts."""
_DARK_W = 10e-6
"""An average power monitor shows less than this in the dark; light of less hardly adds to the noise."""
_UNEVEN = 0.1
"""Share of the spacing by which points may lie off an even grid: float32 of microseconds are no better."""


@dataclass(frozen=True, slots=True)
class TdecqSettings:
    """How FlexDCA is to measure TDECQ: ``optimise`` lets it move the histograms in time and the thresholds in
    power, these by ``threshold_limit_percent`` of OMAouter at most."""

    target_ser: float
    histogram_width_ui: float
    histogram_spacing_ui: float
    taps: int
    precursors: int
    optimise: bool
    threshold_limit_percent: float


EDITIONS: Mapping[str, TdecqSettings] = MappingProxyType(
    {
        "802.3bs": TdecqSettings(4.8e-4, 0.04, 0.1, 5, 2, optimise=False, threshold_limit_percent=0.0),
        "802.3cd": TdecqSettings(4.8e-4, 0.04, 0.1, 5, 2, optimise=True, threshold_limit_percent=1.0),
    }
)
"""Option ``tdecq_edition``. The target is 400GBASE-DR4's in both; 802.3cd stands for the method that it and
later editions have (recalled, not read)."""


@dataclass(frozen=True, slots=True)
class _Measurement:
    node: str
    on_equalised: bool = False
    in_watts: bool = False
    setting: str = ""
    needs_pattern: bool = True


_MEASUREMENTS: Mapping[str, _Measurement] = MappingProxyType(
    {
        "tdecq_db": _Measurement("TDEQ", on_equalised=True),
        "ceq_db": _Measurement("CEQ", on_equalised=True),
        "oma_outer_w": _Measurement("OOMA", in_watts=True),
        "extinction_ratio_db": _Measurement("OER"),
        "rlm": _Measurement("PAM:LIN"),
        "average_power_w": _Measurement("APOW", in_watts=True, needs_pattern=False),
        "transition_time_s": _Measurement("TTIM", setting="TRAN SLOW"),
    }
)
_STATUSES = {"CORR": "CORR", "CORRECT": "CORR", "INV": "INV", "INVALID": "INV"}
_STATUSES |= {"QUES": "QUES", "QUESTIONABLE": "QUES"}
_TRIGGERS = {"front_panel": "FPAN", "clock_recovery": "CREC"}


@dataclass(frozen=True, slots=True)
class _SetUp:
    """What :meth:`FlexDca.configure` has set."""

    channel: int
    symbol_rate_bd: float
    pattern_symbols: int


class FlexDca(ScpiInstrument):
    """One channel at a time: :meth:`configure` it, then measure it.

    Options: ``channels`` (what the instrument calls its optical inputs, in their order; default those of an
    N1092D, ``["1A", "1B", "1C", "1D"]``), ``clock_recovery_slot`` (default 1), ``trigger_source``
    (``front_panel``, default: a clock recovery wired to it; or ``clock_recovery``), ``output_clock_divider``
    (default 4), ``filter`` (``SIRC``, default, or ``FILTer1`` and so on: a filter of its own list),
    ``tdecq_edition`` (one of :data:`EDITIONS`, default ``802.3bs``), ``samples_per_ui`` of a captured
    waveform (default 8), ``autoscale_tries`` (default 3), ``acquisition_limit_s`` (default 300), and
    ``channel_noise_w`` (rms noise of every channel behind the filter, watts).
    """

    model_pattern = r"N1010A|N1000A|86100D|N1092[A-E]"
    model_shown = "Keysight FlexDCA (N1010A, N1000A, 86100D or N1092)"
    error_query: ClassVar[str | None] = ":SYST:ERR? STR"

    wavelength_range_nm: ClassVar[tuple[float, float]] = (1250.0, 1600.0)
    """Of a single-mode input; from memory."""
    symbol_rate_range_bd: ClassVar[tuple[float, float]] = (10e9, 64e9)
    """Of the filters and the clock recovery; from memory."""
    pattern_range_symbols: ClassVar[tuple[int, int]] = (2, 8_388_607)
    """Of the pattern lock; from memory."""
    patterns_range: ClassVar[tuple[int, int]] = (1, 10_000)
    """Pattern periods of one acquisition; a bound of this driver."""

    mode = Setting(":SYST:MODE {value}", Words("EYE", "OSCilloscope"), "What it shows.")
    # Of a channel.
    channel_is_shown = Setting(":CHAN{at}:DISP {value}", Switch("OFF", "ON"), "Whether a channel is shown.")
    wavelength_nm = Setting(
        ":CHAN{at}:WAV:VAL {value:.6E}",
        Number("nm", wavelength_range_nm, share=1e-5, sent_unit=1e9, reply_unit=1e9),
        "Wavelength of the light on a channel.",
    )
    filter_is_reference = Setting(
        ":CHAN{at}:SIRC {value}", Switch("OFF", "ON"), "Whether a channel has the response of a receiver."
    )
    filter_bandwidth_hz = Setting(
        ":CHAN{at}:SIRC:FBAN {value:.6E}",
        Number("Hz", (0.5 * symbol_rate_range_bd[0], 0.5 * symbol_rate_range_bd[1]), share=1e-3),
        "Bandwidth of that response.",
    )
    filter_of_list = Setting(
        ":CHAN{at}:FSEL {value}",
        Words(*(f"FILTer{number}" for number in range(100))),
        "A channel's filter out of the instrument's own list.",
    )
    filter_is_on = Setting(":CHAN{at}:FILT {value}", Switch("OFF", "ON"), "Whether that filter is on.")
    # Clock and trigger; {at} is the clock recovery's slot.
    trigger_source = Setting(":TRIG:SOUR {value}", Words("FPANel", "CRECovery", "FRUN"), "What triggers it.")
    trigger_input = Setting(":TRIG:BWL {value}", Words("CLOCk"), "What its trigger input takes.")
    recovery_source = Setting(":CREC{at}:SOUR {value}", Words("OPTical"), "What clock is recovered from.")
    symbol_rate_bd = Setting(
        ":CREC{at}:CRAT {value:.6E}", Number("Bd", symbol_rate_range_bd, share=1e-6), "Rate of that clock."
    )
    divider_is_automatic = Setting(
        ":CREC{at}:ODR:AUTO {value}", Switch("OFF", "ON"), "Whether it divides its output as it likes."
    )
    output_divider = Setting(
        ":CREC{at}:ODR {value}",
        Words("UNIT", *(f"SUB{divider}" for divider in range(2, 65))),
        "By what the clock is divided at its output.",
    )
    recovery_is_locked = Reading(":CREC{at}:LOCK?", Switch("0", "1"), "Whether it has the light's clock.")
    length_is_automatic = Setting(
        ":TRIG:PLEN:AUT {value}", Switch("OFF", "ON"), "Whether it finds the pattern's length itself."
    )
    length_symbols = Setting(
        ":TRIG:PLEN {value}", Whole("symbols", pattern_range_symbols), "Length of the pattern."
    )
    pattern_is_locked = Reading(":TRIG:PLOC?", Switch("0", "1"), "Whether the trigger has the pattern.")
    # TDECQ: its method, and the equaliser.
    taps = Setting(":SPR1:TEQ:TAPS:COUN {value}", Whole("1", (1, 31)), "Taps of the equaliser.")
    taps_per_ui = Setting(":SPR1:TEQ:TSP:TPUI {value}", Whole("1", (1, 1)), "Taps in a symbol's time.")
    precursors = Setting(":SPR1:TEQ:NPR {value}", Whole("1", (0, 30)), "Taps before the largest.")
    target_ser = Setting(
        ":MEAS:TDEQ:TSER {value:.2E}", Number("1", (1e-9, 0.1), share=6e-3), "Symbol error ratio of TDECQ."
    )
    histogram_width_ui = Setting(
        ":MEAS:TDEQ:HWID {value:.2E}", Number("UI", (1e-3, 0.4), share=6e-3), "Width of its histograms."
    )
    histogram_spacing_ui = Setting(
        ":MEAS:TDEQ:OHS {value:.2E}", Number("UI", (0.01, 0.9), share=6e-3), "How far they are apart."
    )
    histograms_move = Setting(
        ":MEAS:TDEQ:OHT {value}", Switch("OFF", "ON"), "Whether they are moved to where TDECQ is best."
    )
    thresholds_move = Setting(
        ":MEAS:TDEQ:OHTH {value}", Switch("OFF", "ON"), "Whether its thresholds are moved so."
    )
    threshold_limit_percent = Setting(
        ":MEAS:TDEQ:TAL {value:.1f}",
        Number("%", (0.0, 10.0), tolerance=0.06),
        "By how much of OMAouter they may be moved at most.",
    )
    # Acquisition.
    samples_per_ui = Setting(":ACQ:SPUI {value}", Whole("1", (4, 64)), "Samples in a symbol's time.")
    patterns = Setting(
        ":LTES:ACQ:CTYP:PATT {value}", Whole("1", patterns_range), "Pattern periods that end an acquisition."
    )

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)

        def within(key: str, default: int, low: int, high: int) -> int:
            value = option(self._options, key, default, instrument=name)
            self._within(value, low, high, f"option {key}", "")
            return value

        names = option(self._options, "channels", ["1A", "1B", "1C", "1D"], instrument=name)
        wrong = [one for one in names if one not in _CHANNEL_NAMES]
        if not names or wrong or len(set(names)) != len(names):
            raise OutOfRangeError(name, f"option channels: names from 1A to 8D, each once, not {names}")
        self._channels = dict(enumerate(names, start=1))
        self._slot = within("clock_recovery_slot", 1, 1, 8)
        self._trigger = _TRIGGERS[self._one_of("trigger_source", "front_panel", _TRIGGERS)]
        self._divider = within("output_clock_divider", 4, 1, 64)
        self._filter = option(self._options, "filter", "SIRC", instrument=name).upper()
        number = self._filter.removeprefix("FILTER")
        if self._filter != "SIRC":
            if not (number.isascii() and number.isdigit() and len(number) <= 2):
                raise OutOfRangeError(name, f"option filter: SIRC or FILTer<n>, not {self._filter!r}")
            self._filter = f"FILTER{int(number)}"
        self._tdecq = EDITIONS[self._one_of("tdecq_edition", "802.3bs", EDITIONS)]
        self._samples_per_ui = within("samples_per_ui", 8, 4, 64)
        self._autoscale_tries = within("autoscale_tries", 3, 1, 20)
        self._limit_s = option(self._options, "acquisition_limit_s", 300.0, instrument=name)
        self._within(self._limit_s, 1.0, 3600.0, "option acquisition_limit_s", "s")
        self._noise_w: dict[int, float] = {}
        if "channel_noise_w" in self._options:
            noise_w = option(self._options, "channel_noise_w", 0.0, instrument=name)
            self._within(noise_w, 0.0, 1e-3, "option channel_noise_w", "W")
            self._noise_w = dict.fromkeys(self._channels, noise_w)
        self._set_up: _SetUp | None = None
        self._is_reset = False
        self._failed_autoscales = 0  # before the scale that it has now
        self.autoscales_failed = 0
        """Autoscales that failed in this session, those that another try made good among them."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Its optical inputs, from 1 on; option ``channels`` says what it calls them."""
        return tuple(self._channels)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quantities that :meth:`measure` takes."""
        return tuple(_MEASUREMENTS)

    def connect(self) -> Identity:
        """Probe, check the model, clear the status. Settings stay as they are, until :meth:`configure` or
        :meth:`measure_dark_noise_w` is called for the first time: that resets it.

        :raises WrongIdentityError: when another model answers.
        """
        self._set_up = None
        self._is_reset = False
        return super().connect()

    def configure(
        self, channel: int, *, wavelength_nm: float, symbol_rate_bd: float, pattern_symbols: int
    ) -> None:
        """Eye mode with this channel alone, reference receiver filter (Bessel-Thomson, half the symbol rate),
        clock recovery relocked, pattern locked, scaled, TDECQ's equaliser on it. Returns when it is locked.
        The first time since :meth:`connect` all is reset before.

        :raises OutOfRangeError: for a channel, wavelength, rate or length it has not; nothing was sent.
        :raises NotSettledError: when the clock or the pattern cannot be locked to, or it cannot be scaled.
        :raises InstrumentReportedError: when it refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        source = self._source(channel)
        self._within(wavelength_nm, *self.wavelength_range_nm, "wavelength", "nm")
        self._within(symbol_rate_bd, *self.symbol_rate_range_bd, "symbol rate", "Bd")
        self._within(pattern_symbols, *self.pattern_range_symbols, "pattern length", "symbols")
        if pattern_symbols != int(pattern_symbols):
            raise OutOfRangeError(self._name, f"a pattern has whole symbols, not {pattern_symbols:g}")
        self._set_up = None
        self._reset_once()
        self._send(":ACQ:STOP")
        self.mode.set("EYE")
        for other in self._channels:
            self.channel_is_shown.set(other == channel, other)
        self._set_filter(channel, wavelength_nm, symbol_rate_bd)
        self._lock_clock(symbol_rate_bd)
        self._lock_pattern(int(pattern_symbols))
        self._autoscale()
        self._set_equaliser(source)
        self._set_up = _SetUp(channel, symbol_rate_bd, int(pattern_symbols))

    def clock_is_locked(self) -> bool:
        """Whether the clock recovery has the light's clock."""
        return self.recovery_is_locked(str(self._slot))

    def measure(
        self, channel: int, quantities: Sequence[str], *, patterns: int = 4
    ) -> tuple[EyeReading, ...]:
        """Drop old data, take this many pattern periods, and measure, in the order asked.

        Without clock or pattern lock nothing is taken: what needs the pattern has no value then, for the
        instrument's reason. Nor has it when a lock is lost by the end of the acquisition.

        :raises InstrumentError: when this channel was not the last one configured.
        :raises UnsupportedError: for a quantity it does not measure; nothing was sent.
        :raises NotSettledError: when the acquisition does not end in time; it was stopped.
        :raises GarbledReplyError: for a status or a value that is none.
        """
        source = self._source(channel)
        for quantity in quantities:
            if quantity not in _MEASUREMENTS:
                raise UnsupportedError(
                    self._name, f"it does not measure {quantity!r}; it does: {', '.join(self.quantities)}"
                )
        self._within(patterns, *self.patterns_range, "number of patterns", "")
        self._set_up_for(channel)
        self._send(":ACQ:STOP", ":ACQ:CDIS")
        for quantity in quantities:
            self._install(_MEASUREMENTS[quantity], source)
        lost = self._lost_lock()
        if not lost:
            self._acquire(int(patterns))
            if during := self._lost_lock():
                lost = f"{during} while it acquired"
        return tuple(self._reading(quantity, source, lost) for quantity in quantities)

    def capture(self, channel: int) -> CapturedWaveform:
        """A new record of one pattern period, behind the reference filter, not averaged. In oscilloscope
        mode, from which it goes back to eye mode and scales again. Points that are not equally spaced are put
        on an even grid by cubic interpolation.

        :raises InstrumentError: when this channel was not the last one configured.
        :raises NotSettledError: when the pattern is not complete in time; the acquisition was stopped.
        :raises InvalidReadingError: when the instrument calls the waveform invalid, with its reason.
        :raises PartialReplyError, GarbledReplyError: when the record is not one period of powers.
        """
        source = self._source(channel)
        set_up = self._set_up_for(channel)
        wanted = set_up.pattern_symbols * self._samples_per_ui
        # Not read back: whether the record is that of the whole pattern is asked, and its points are counted.
        self._send(":ACQ:STOP", ":SYST:MODE OSC", ":ACQ:EPAT ON", ":ACQ:SPUI:MODE MAN")
        samples = self.samples_per_ui.to(self._samples_per_ui)
        samples.send()
        self._send(":TIM:UNIT UINT", ":ACQ:CDIS", f":TIM:UIR {set_up.pattern_symbols}")
        samples.read_back()
        try:
            self._acquire(1)
            self._send(":ACQ:STOP", f":WAV:SOUR {source}")
            if not self._session.query(":WAV:PATT:COMP?").boolean():
                raise NotSettledError(
                    self._name, "the pattern's record is not complete", command=":WAV:PATT:COMP?"
                )
            times_s, powers_w = self._xy_data(wanted)
        except InstrumentError:
            self._set_up = None
            with contextlib.suppress(InstrumentError):
                self._send(":SYST:MODE EYE")
            raise
        self._send(":SYST:MODE EYE")
        self._autoscale()
        period_s = set_up.pattern_symbols / set_up.symbol_rate_bd
        samples_w = self._on_even_grid(times_s, powers_w, period_s)
        return CapturedWaveform(samples_w, float(self._samples_per_ui), set_up.symbol_rate_bd, filtered=True)

    def noise_w(self, channel: int) -> float:
        """Its own rms noise on a channel behind the reference filter, watts: what
        :meth:`measure_dark_noise_w` found in this session, else option ``channel_noise_w``.

        :raises InstrumentError: when neither is there.
        """
        self._source(channel)
        if channel not in self._noise_w:
            raise InstrumentError(
                self._name,
                f"the noise of channel {channel} is not known",
                advice="Measure it with measure_dark_noise_w() on the dark input, or state the option "
                "channel_noise_w in the bench file.",
            )
        return self._noise_w[channel]

    def measure_dark_noise_w(
        self, channel: int, *, wavelength_nm: float = 1310.0, symbol_rate_bd: float = 53.125e9
    ) -> float:
        """Rms noise of a channel whose input must be dark, behind the reference filter, watts; kept for
        :meth:`noise_w`. Every channel is to be configured again after it.

        :raises OutOfRangeError: for a channel, wavelength or rate it has not; nothing was sent.
        :raises InvalidReadingError: when the instrument has no valid value, with its reason.
        :raises InstrumentError: when there is light on the input.
        """
        source = self._source(channel)
        self._within(wavelength_nm, *self.wavelength_range_nm, "wavelength", "nm")
        self._within(symbol_rate_bd, *self.symbol_rate_range_bd, "symbol rate", "Bd")
        self._set_up = None
        self._reset_once()
        self._send(
            ":ACQ:STOP", ":TRIG:PLOC OFF", ":TRIG:SOUR FRUN", ":SYST:MODE OSC", f":CHAN{source[4:]}:DISP ON"
        )
        self._set_filter(channel, wavelength_nm, symbol_rate_bd)
        vrms, power = ":MEAS:OSC:VRMS", ":MEAS:OSC:APOW"
        self._send(":ACQ:CDIS", f"{vrms}:SOUR1 {source}", f"{vrms}:TYP AC", f"{vrms}:ARE DISP", vrms)
        self._send(f"{power}:SOUR1 {source}", f"{power}:UNIT WATT", power)
        self._send(":LTES:ACQ:CTYP:WAV 16", ":LTES:ACQ:STAT ON")
        self._run()
        noise_w, dark_w = self._dark_value(vrms), self._dark_value(power)
        self._send(f":TRIG:SOUR {self._trigger}", ":SYST:MODE EYE")
        if not 0.0 < noise_w < 1e-3:
            raise InvalidReadingError(
                self._name, f"{noise_w:g} W is no noise of an input", command=f"{vrms}?", reply=noise_w
            )
        if dark_w > _DARK_W:
            raise InstrumentError(
                self._name,
                f"channel {channel} is not dark: {dark_w * 1e6:.3g} uW",
                command=f"{power}?",
                advice="Cover the input or switch the light off, then measure its noise again.",
            )
        self._noise_w[channel] = noise_w
        return noise_w

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off: an oscilloscope emits nothing. Sends nothing."""
        return ()

    # -- setting up --------------------------------------------------------------------------------

    def _reset_once(self) -> None:
        """Before anything is set, all that others have set."""
        if not self._is_reset:
            self._session.command("*RST", check=False)
            self._session.wait_complete(_RESET_LIMIT_S, interval_s=_POLL_S)
            self._is_reset = True

    def _set_filter(self, channel: int, wavelength_nm: float, symbol_rate_bd: float) -> None:
        self.wavelength_nm.set(wavelength_nm, channel)
        if self._filter != "SIRC":
            set_all(self.filter_of_list.to(self._filter, channel), self.filter_is_on.to(True, channel))
            return
        set_all(
            self.filter_is_reference.to(True, channel),
            self.filter_bandwidth_hz.to(0.5 * symbol_rate_bd, channel),
        )

    def _lock_clock(self, symbol_rate_bd: float) -> None:
        recovery, slot = f":CREC{self._slot}", str(self._slot)
        set_all(
            self.trigger_source.to(self._trigger),
            self.trigger_input.to("CLOC"),
            self.recovery_source.to("OPT", slot),
            self.symbol_rate_bd.to(symbol_rate_bd, slot),
            self.divider_is_automatic.to(False, slot),
            self.output_divider.to("UNIT" if self._divider == 1 else f"SUB{self._divider}", slot),
        )
        said = self._operate(f"{recovery}:REL", _RELOCK_LIMIT_S)
        if not self.clock_is_locked():
            raise NotSettledError(
                self._name,
                f"the clock recovery does not lock at {symbol_rate_bd * 1e-9:g} GBd{said}",
                command=f"{recovery}:REL",
                advice="Check that the lane's transmitter is on and modulated at that rate, that its light "
                "is routed to this input, and its power at the clock recovery's.",
            )

    def _lock_pattern(self, symbols: int) -> None:
        set_all(self.length_is_automatic.to(False), self.length_symbols.to(symbols))
        said = self._operate(":TRIG:PLOC ON", _PATTERN_LOCK_LIMIT_S)
        if not self.pattern_is_locked():
            raise NotSettledError(
                self._name,
                f"the trigger does not lock to a pattern of {symbols} symbols{said}",
                command=":TRIG:PLOC ON",
                advice="Check that the lane sends a pattern of that length (SSPRQ: 65535, PRBS13Q: 8191 "
                "symbols) and no traffic: it comes from the module's media-side generator.",
            )

    def _autoscale(self) -> None:
        said = ""
        for failed in range(self._autoscale_tries):
            said = self._operate(":SYST:AUT", _AUTOSCALE_LIMIT_S)
            if not said:
                self._failed_autoscales = failed
                return
            self.autoscales_failed += 1
            self._send(":ACQ:STOP")
        raise NotSettledError(
            self._name,
            f"autoscale failed {self._autoscale_tries} times{said}",
            command=":SYST:AUT",
            advice="Check the light's power at this input.",
        )

    def _set_equaliser(self, source: str) -> None:
        tdecq = self._tdecq
        self._send(":FUNC1:FOP TEQ", f":FUNC1:OPER1 {source}", ":FUNC1:DISP ON")
        wanted = [
            self.taps.to(tdecq.taps),
            self.taps_per_ui.to(1),
            self.precursors.to(tdecq.precursors),
            self.target_ser.to(tdecq.target_ser),
            self.histogram_width_ui.to(tdecq.histogram_width_ui),
            self.histogram_spacing_ui.to(tdecq.histogram_spacing_ui),
            self.histograms_move.to(tdecq.optimise),
            self.thresholds_move.to(tdecq.optimise),
        ]
        if tdecq.optimise:
            wanted.append(self.threshold_limit_percent.to(tdecq.threshold_limit_percent))
        set_all(*wanted)

    # -- measuring ---------------------------------------------------------------------------------

    def _install(self, measurement: _Measurement, source: str) -> None:
        node = self._identified(measurement, source)
        if measurement.setting:
            self._send(f"{node}:{measurement.setting}")
        if measurement.in_watts:
            self._send(f"{node}:UNIT WATT")
            reply = self._session.query(f"{node}:UNIT?")
            if reply.unquoted().upper() != "WATT":
                raise reply.garbled("not the WATT that was set: it reads back otherwise")
        self._send(node)

    def _identified(self, measurement: _Measurement, source: str) -> str:
        """Name the source, for what is sent next is laid to the measurement with the source named last."""
        node = f":MEAS:EYE:{measurement.node}"
        self._send(f"{node}:SOUR1 {'FUNC1' if measurement.on_equalised else source}")
        return node

    def _lost_lock(self) -> str:
        if not self.clock_is_locked():
            return "the clock recovery has lost its lock"
        return "" if self.pattern_is_locked() else "the pattern lock is lost"

    def _acquire(self, patterns: int) -> None:
        limit = self.patterns.to(patterns)
        limit.send()
        self._send(":LTES:ACQ:STAT ON")  # not read back: the end of the acquisition tells it
        limit.read_back()
        self._run()

    def _run(self) -> None:
        said = self._operate(":ACQ:RUN", self._limit_s)
        if not said:
            return
        self._session.command(":ACQ:STOP", check=False)
        raise NotSettledError(
            self._name,
            f"the acquisition failed and was stopped{said}",
            command=":ACQ:RUN",
            advice="Check the light and the locks of clock and pattern; a long pattern may want a larger "
            "option acquisition_limit_s.",
        )

    def _reading(self, quantity: str, source: str, lost: str) -> EyeReading:
        measurement = _MEASUREMENTS[quantity]
        failed = self._failed_autoscales
        node = self._identified(measurement, source)
        status = self._status(f"{node}:STAT?")
        reason = "" if status == "CORR" else self._reason(f"{node}:STAT:REAS?")
        if lost and measurement.needs_pattern:
            return EyeReading(quantity, None, reason=reason or lost, autoscales_failed=failed)
        if status == "INV":
            return EyeReading(quantity, None, reason=reason, autoscales_failed=failed)
        reply = self._session.query(f"{node}?")
        value = reply.unchecked_real()
        if is_not_a_number(value) or abs(value) > 1e30:
            reason = reason or self._reason(f"{node}:STAT:REAS?")
            return EyeReading(quantity, None, reason=reason, autoscales_failed=failed)
        if measurement.in_watts and abs(value) >= _IMPLAUSIBLE_W:
            raise reply.garbled(f"{value:g} W, no power of an input: it may not be in watts")
        return EyeReading(quantity, value, status == "QUES", reason, failed)

    def _status(self, query: str) -> str:
        reply = self._session.query(query)
        status = _STATUSES.get(reply.text.strip(" \t\r\n\"'").upper())
        if status is None:
            raise reply.garbled("not a status: CORR, INV or QUES")
        return status

    def _reason(self, query: str) -> str:
        """The instrument's words, untrusted: quoted or not, of printable characters, and not too many."""
        words = self._session.query(query).text.strip(" \t\r\n\"'")
        shown = "".join(letter if " " <= letter <= "~" else "?" for letter in words[:_LONGEST_REASON])
        return shown or "the instrument gives no reason"

    def _dark_value(self, node: str) -> float:
        if self._status(f"{node}:STAT?") == "INV":
            raise InvalidReadingError(
                self._name, f"no valid value: {self._reason(f'{node}:STAT:REAS?')}", command=f"{node}?"
            )
        return self._session.query(f"{node}?").real()

    # -- waveforms ---------------------------------------------------------------------------------

    def _xy_data(self, wanted: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        status = self._session.query(":WAV:STAT?").text.strip(" \t\r\n\"'").upper()
        if status.startswith("INV"):
            raise InvalidReadingError(
                self._name,
                f"the waveform is not valid: {self._reason(':WAV:STAT:REAS?')}",
                command=":WAV:STAT?",
            )
        self._send(":SYST:BORDER LEND")
        reply = self._session.query(":WAV:XYF:POIN?")
        points = reply.integer(0, 1 << 24)
        if points != wanted:
            raise reply.garbled(
                f"{points} points, where one period at {self._samples_per_ui} samples per UI has {wanted}"
            )
        times_s = self._floats(":WAV:XYF:FLO:XDAT?", points)
        powers_w = self._floats(":WAV:XYF:FLO:YDAT?", points)
        if max(map(abs, powers_w)) >= _IMPLAUSIBLE_W:
            self._session.distrust()
            raise GarbledReplyError(
                self._name, "the waveform has powers of no input: not watts", command=":WAV:XYF:FLO:YDAT?"
            )
        return times_s, powers_w

    def _floats(self, query: str, count: int) -> tuple[float, ...]:
        block = self._session.query_block(query, time_limit_s=self._session.time_limit_s + count * 1e-5)
        try:
            values = float32_values(self._name, query, block, count)
        except (GarbledReplyError, PartialReplyError, EmptyReplyError):
            self._session.distrust()
            raise
        if not all(map(math.isfinite, values)):
            self._session.distrust()
            raise GarbledReplyError(self._name, "values are missing in the waveform", command=query)
        return values

    def _on_even_grid(
        self, times_s: tuple[float, ...], powers_w: tuple[float, ...], period_s: float
    ) -> tuple[float, ...]:
        count = len(times_s)
        step_s = period_s / count
        first_s = times_s[0]
        off = [(time_s - first_s) / step_s - place for place, time_s in enumerate(times_s)]
        if max(map(abs, off)) <= _UNEVEN:
            return powers_w
        if any(after <= before for before, after in itertools.pairwise(times_s)) or off[-1] >= 1.0:
            self._session.distrust()
            raise GarbledReplyError(
                self._name,
                f"the waveform's times do not rise through one period of {period_s:.6g} s",
                command=":WAV:XYF:FLO:XDAT?",
                advice="Check the symbol rate and the pattern length.",
            )
        return _interpolated([place + shift for place, shift in enumerate(off)], powers_w)

    # -- small change ------------------------------------------------------------------------------

    def _operate(self, command: str, limit_s: float) -> str:
        """Start something long and wait for its end. "" when it ended well, else what to add to an error."""
        self._session.command(command, check=False)
        said = ""
        try:
            self._session.wait_complete(limit_s, interval_s=_POLL_S)
        except NotSettledError:
            said = f", not within {limit_s:g} s"
        entries = self._session.drain_errors()
        return said + "".join(f"; it reports {code} {text!r}" for code, text in entries)

    def _send(self, *commands: str) -> None:
        for command in commands:
            self._session.command(command)

    def _one_of(self, key: str, default: str, known: Mapping[str, object]) -> str:
        value = option(self._options, key, default, instrument=self._name)
        if value not in known:
            raise OutOfRangeError(self._name, f"option {key}: one of {', '.join(known)}, not {value!r}")
        return value

    def _set_up_for(self, channel: int) -> _SetUp:
        if self._set_up is None or self._set_up.channel != channel:
            raise InstrumentError(
                self._name,
                f"channel {channel} is not the one configured last",
                advice="Call configure() first: clock, pattern and scale are those of one channel.",
            )
        return self._set_up

    def place_of(self, channel: int) -> str:
        """What it calls a channel: 1A.

        :raises OutOfRangeError: when there is no such channel.
        """
        if channel not in self._channels:
            raise OutOfRangeError(self._name, f"it has channels 1 to {len(self._channels)}, not {channel}")
        return self._channels[channel]

    def _source(self, channel: int) -> str:
        return f"CHAN{self.place_of(channel)}"


def _interpolated(places: Sequence[float], values: Sequence[float]) -> tuple[float, ...]:
    """Values at 0, 1, ... of points at rising ``places`` within one period: the cubic through the four
    nearest points, two on each side, round the end of the period."""
    count = len(places)
    result = []
    right = 0
    for wanted in range(count):
        while right < count and places[right] < wanted:
            right += 1
        index = range(right - 2, right + 2)
        near = [places[i % count] + count * (i // count) for i in index]
        total = 0.0
        for turn, i in enumerate(index):
            weight = 1.0
            for other in range(4):
                if other != turn:
                    weight *= (wanted - near[other]) / (near[turn] - near[other])
            total += weight * values[i % count]
        result.append(total)
    return tuple(result)
