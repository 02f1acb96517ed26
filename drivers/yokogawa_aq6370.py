"""Yokogawa AQ6370D optical spectrum analyser (an AQ6370C takes the same commands).

Never run on hardware by this project. Commands, by how well they are known (section 1.6 of the instrument
notes): from the vendor's manual: the automatic offset about every 10 minutes, which may stall all commands
for some 30 s, and that the error buffer holds the latest error alone; several public drivers agree: the
login on a raw socket (port 10001), sweep, bandwidth, sensitivity, trace and analysis commands, and that the
DFB-LD analysis answers width, peak wavelength, peak level, mode offset, SMSR; seen in one public driver
only: the form of newer firmware with twelve fields, ``:SENSe:CORRection:RVELocity:MEDium``, the byte order
of ``REAL,64`` (little endian); uncertain: the numbers that words are read back as, and, from memory,
``:SENSe:CORRection:LEVel:SHIFt``, ``:WAVelength:SHIFt`` and ``:CALCulate:PARameter:DFBLd`` (option
``neutral_corrections``). What the analysis
answers is therefore held against the trace. ``*RST`` is never sent: it would undo what others of this bench
have set, and take long.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from drivers.clock import Clock, wait_until
from drivers.errors import (
    ConnectionFailedError,
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    NoReplyError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
)
from drivers.interfaces import Identity, LaserLine, SafetyStep, Spectrum
from drivers.replies import Reply, float64_values
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Setting, Switch, Words, set_all

__all__ = ["AQ6370D"]

_STALL_LIMIT_S = 45.0
"""The automatic offset takes some 30 s, in which nothing is answered."""
_STALLED = " In its automatic offset it is silent for half a minute: try again then."
_MOST_POINTS = 50_001
_POLL_S = 0.2
_SENSITIVITIES = ("NHLD", "NAUT", "MID", "HIGH1", "HIGH2", "HIGH3", "NORM")
"""In the order of the numbers that they are answered with."""
_LEVELS_DBM = (-220.0, 60.0)
_LEVEL_AGREES_DB = 1.0
_SIDE_MODE_AGREES_DB = 1.5
_ABOVE_NOISE_DB = 9.0
"""A side mode stands this far above the upper quartile of the trace: 50 000 points of normally distributed
noise do not."""


class AQ6370D(ScpiInstrument):
    """One optical input. Wavelengths are those in vacuum. Never run on hardware by this project.

    Options: ``sensitivity`` (default ``MID``; ``NHLD``, ``NAUT``, ``NORM``, ``HIGH1`` .. ``HIGH3``);
    ``binary_traces`` (default false: ASCII; true: ``REAL,64``, half the bytes and less well known);
    ``automatic_offset`` (default false: it is turned off, and the offset is taken before a sweep when the
    last is older than ``offset_interval_s``, default 600; true: the analyser does it when it likes, and any
    command may take half a minute); ``neutral_corrections`` (default true: level and wavelength are shown
    unshifted, and of the side modes the highest counts, however near; false: as its panel has them, for an
    analyser that does not know these commands); ``sweep_limit_s`` (default 180: longest that a sweep may
    take).

    On a raw socket it logs in as ``anonymous``, which the analyser must allow.
    """

    model_pattern = r"AQ6370[CD]"
    model_shown = "Yokogawa AQ6370D"

    wavelength_range_nm: ClassVar[tuple[float, float]] = (600.0, 1700.0)
    """Data sheet; several public drivers agree."""
    span_range_nm: ClassVar[tuple[float, float]] = (0.1, 1100.0)
    """A span of 0 is another kind of measurement, and not supported."""
    resolutions_nm: ClassVar[tuple[float, ...]] = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
    """Resolution bandwidths that it has; several public drivers agree."""
    first_contact_limit_s: float = _STALL_LIMIT_S
    """How long :meth:`connect` waits for the first answer. An analyser that is off is known at once, for its
    address cannot be opened; one that can be opened and says nothing may be in its automatic offset. Who
    wants to know in seconds sets a shorter limit, and cannot tell these apart."""

    offset_is_automatic = Setting(
        ":CAL:ZERO {value}", Switch("OFF", "ON"), "Whether it takes its offset when it likes."
    )
    sweep_mode = Setting(":INIT:SMOD {value}", Words("SINGle=1"), "How often it sweeps: once.")
    centre_nm = Setting(
        ":SENS:WAV:CENT {value:.3f}NM",
        Number("nm", wavelength_range_nm, tolerance=0.0011, reply_unit=1e9),
        "Middle of a sweep.",
    )
    span_nm = Setting(
        ":SENS:WAV:SPAN {value:.1f}NM",
        Number("nm", span_range_nm, tolerance=0.11, reply_unit=1e9),
        "Width of a sweep.",
    )
    resolution_nm = Setting(
        ":SENS:BAND:RES {value:g}NM",
        Number(
            "nm", (resolutions_nm[0], resolutions_nm[-1]), among=resolutions_nm, share=0.1, reply_unit=1e9
        ),
        "Resolution bandwidth.",
    )
    sensitivity = Setting(
        ":SENS:SENS {value}",
        Words(*(f"{word}={number}" for number, word in enumerate(_SENSITIVITIES))),
        "How long it averages, and so how low its noise is.",
    )
    points_are_automatic = Setting(
        ":SENS:SWE:POIN:AUTO {value}", Switch("OFF", "ON"), "Whether it samples as its resolution wants it."
    )
    medium = Setting(":SENS:CORR:RVEL:MED {value}", Words("VACuum=1"), "Where wavelengths are those in it.")
    active_trace = Setting(":TRAC:ACT {value}", Words("TRA=0"), "The trace that is shown and analysed.")
    trace_a = Setting(":TRAC:ATTR:TRA {value}", Words("WRITe=0"), "What a sweep does to trace A.")
    level_scale = Setting(":DISP:TRAC:Y1:SPAC {value}", Words("LOGarithmic=0"), "Scale of the levels.")
    level_unit = Setting(":DISP:TRAC:Y1:UNIT {value}", Words("DBM=0"), "Unit of the levels.")
    trace_form = Setting(
        ":FORM:DATA {value}", Words("ASCii", "REAL,64=REAL64"), "Form of what a trace is read in."
    )
    level_shift_db = Setting(
        ":SENS:CORR:LEV:SHIF {value:g}DB",
        Number("dB", (0.0, 0.0), tolerance=1e-3),
        "What is added to levels: nothing.",
    )
    wavelength_shift_nm = Setting(
        ":SENS:CORR:WAV:SHIF {value:g}NM",
        Number("nm", (0.0, 0.0), tolerance=1e-4, reply_unit=1e9),
        "What is added to wavelengths: nothing.",
    )
    side_mode = Setting(
        ":CALC:PAR:DFBL SMSR,SMOD,{value}", Words("SMSR1=0"), "Which side mode counts: the highest."
    )
    side_mode_mask_nm = Setting(
        ":CALC:PAR:DFBL SMSR,SMAS,{value:g}NM",
        Number("nm", (0.0, 0.0), tolerance=1e-4, reply_unit=1e9),
        "How near the peak no side mode counts: none is too near.",
    )

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._sensitivity = option(self._options, "sensitivity", "MID", instrument=name).upper()
        if self._sensitivity not in _SENSITIVITIES:
            known = ", ".join(_SENSITIVITIES)
            raise OutOfRangeError(name, f"option sensitivity: one of {known}, not {self._sensitivity!r}")
        self._binary = option(self._options, "binary_traces", False, instrument=name)
        self._automatic_offset = option(self._options, "automatic_offset", False, instrument=name)
        self._neutral = option(self._options, "neutral_corrections", True, instrument=name)
        self._offset_interval_s = option(self._options, "offset_interval_s", 600.0, instrument=name)
        self._within(self._offset_interval_s, 1.0, 86_400.0, "option offset_interval_s", "s")
        self._sweep_limit_s = option(self._options, "sweep_limit_s", 180.0, instrument=name)
        self._within(self._sweep_limit_s, 1.0, 3600.0, "option sweep_limit_s", "s")
        self._logged_in = self._has_answered = False
        self._limits_s: tuple[float, float] | None = None  # the session's own
        self._offset_taken_s: float | None = None
        self._sweep_nm: tuple[float, float] | None = None
        self._resolution_nm = 0.0

    def _own_limits_s(self) -> tuple[float, float]:
        """What the session's limits were before this driver changed them."""
        if self._limits_s is None:
            self._limits_s = (self._session.time_limit_s, self._session.resynchronisation_limit_s)
        return self._limits_s

    def connect(self) -> Identity:
        """Log in where needed, probe, check the model, clear the status. Settings stay as they are. The first
        answer may take :attr:`first_contact_limit_s`; later ones half a minute, for the analyser may begin
        its automatic offset.

        :raises ConnectionFailedError: when nothing answers, or the login is refused.
        :raises WrongIdentityError: when another model answers.
        """
        self._sweep_nm = self._offset_taken_s = None
        session = self._session
        _, session.resynchronisation_limit_s = self._own_limits_s()
        session.time_limit_s = self.first_contact_limit_s
        self._has_answered = False
        try:
            return super().connect()
        except (NoReplyError, ConnectionFailedError) as fault:
            silent = any(isinstance(one, NoReplyError) for one in (fault, fault.__cause__))
            if self._has_answered or not silent:
                raise
            waited_enough = self.first_contact_limit_s >= _STALL_LIMIT_S
            raise ConnectionFailedError(
                self._name,
                f"nothing answers at this address within {self.first_contact_limit_s:g} s"
                + (", longer than an automatic offset takes" if waited_enough else ""),
                command=fault.command,
                advice="Check that the analyser is on, its address in the bench file, and its cable."
                + ("" if waited_enough else _STALLED),
            ) from fault

    def configure(self, *, centre_nm: float, span_nm: float, resolution_nm: float) -> None:
        """A single sweep of this span into trace A, in dBm, over wavelengths in vacuum; what was running is
        stopped, and all of it is read back.

        :raises OutOfRangeError: when a value is outside the data sheet's range or the resolution none that it
            has; nothing was sent.
        :raises InstrumentReportedError: when the analyser refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        wanted = [
            self.sweep_mode.to("SING"),
            self.centre_nm.to(centre_nm),
            self.span_nm.to(span_nm),
            self.resolution_nm.to(resolution_nm),
            self.sensitivity.to(self._sensitivity),
            self.points_are_automatic.to(True),
            self.medium.to("VAC"),
            self.active_trace.to("TRA"),
            self.trace_a.to("WRIT"),
            self.level_scale.to("LOG"),
            self.level_unit.to("DBM"),
            self.trace_form.to("REAL,64" if self._binary else "ASC"),
        ]
        if not self._automatic_offset:
            wanted.insert(0, self.offset_is_automatic.to(False))
        if self._neutral:
            wanted += [self.level_shift_db.to(0.0), self.wavelength_shift_nm.to(0.0)]
        self._sweep_nm = None
        self.tell(":ABOR")
        set_all(*wanted)
        self._sweep_nm = (centre_nm - span_nm / 2.0, centre_nm + span_nm / 2.0)
        self._resolution_nm = resolution_nm

    def sweep(self) -> Spectrum:
        """Sweep once, now, and return it; before, take the offset when that is due.

        :raises InstrumentError: when it was not configured.
        :raises NotSettledError: when the sweep takes longer than ``sweep_limit_s``; it is then aborted.
        :raises GarbledReplyError: when what comes is no trace of this sweep.
        """
        if self._sweep_nm is None:
            raise InstrumentError(self._name, "it is not configured", advice="Call configure() first.")
        self._take_offset_when_due()
        self._finished()  # reading clears it: an older sweep must not count
        self._session.command(":INIT")
        try:
            wait_until(
                self._clock,
                self._finished,
                timeout_s=self._sweep_limit_s,
                interval_s=_POLL_S,
                error=lambda: NotSettledError(
                    self._name,
                    f"the sweep is not complete after {self._sweep_limit_s:g} s",
                    command=":INIT",
                    advice="Take a lower sensitivity or a smaller span, or raise the option sweep_limit_s.",
                ),
            )
        except NotSettledError:
            with contextlib.suppress(InstrumentError):
                self._session.command(":ABOR", check=False)
            raise
        self._session.check_errors(":INIT")
        return self._trace(*self._sweep_nm)

    def laser_line(self) -> LaserLine:
        """Sweep once, now, and let the analyser take it for the spectrum of one laser (DFB-LD). A side mode
        that does not stand clear of the trace's noise is none; one that barely does has an SMSR good to 1 dB:
        take a higher ``sensitivity``.

        :raises GarbledReplyError: when what the analysis answers is not in the trace.
        """
        spectrum = self.sweep()
        self._session.command(":CALC:CAT DFBL")
        if self._neutral:
            set_all(self.side_mode.to("SMSR1"), self.side_mode_mask_nm.to(0.0))
        self._session.command(":CALC")
        reply = self._session.query(":CALC:DATA?")
        return _laser_line(reply, spectrum)

    def calibrate_offset(self) -> None:
        """Take the offset now: some 30 s.

        :raises NotSettledError: when it takes longer than half as much again.
        """
        self._session.command(":CAL:ZERO ONCE", check=False)
        self._session.wait_complete(_STALL_LIMIT_S, interval_s=1.0)
        self._session.check_errors(":CAL:ZERO ONCE")
        self._offset_taken_s = self._clock.now_s()

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off: an analyser emits nothing. Sends nothing."""
        return ()

    def _allow_for_stalls(self) -> None:
        """It has answered: when it is silent from now on, it may be in its automatic offset."""
        self._has_answered = True
        time_limit_s, resynchronisation_limit_s = self._own_limits_s()
        self._session.time_limit_s = max(time_limit_s, _STALL_LIMIT_S)
        self._session.resynchronisation_limit_s = max(resynchronisation_limit_s, 2.0 * _STALL_LIMIT_S)

    def _is_expected(self, identity: Identity) -> bool:
        self._allow_for_stalls()
        return super()._is_expected(identity)

    def _log_in(self) -> None:
        if self._logged_in or not self._session.address.endswith("::SOCKET"):
            return
        challenge = self._session.query('OPEN "anonymous"')
        if not challenge.text.strip().upper().startswith("AUTHENTICATE"):
            raise self._refused(challenge)
        self._allow_for_stalls()
        ready = self._session.query(" ")
        if ready.text.strip().upper() != "READY":
            raise self._refused(ready)
        self._logged_in = True

    def _refused(self, reply: Reply) -> ConnectionFailedError:
        self._session.distrust()
        return ConnectionFailedError(
            self._name,
            "the login is refused",
            command=reply.command,
            reply=reply.text,
            advice="Set the analyser's remote user to anonymous, and its interface to NETWORK (SOCKET).",
        )

    def _take_offset_when_due(self) -> None:
        if self._automatic_offset:
            return
        taken_s = self._offset_taken_s
        if taken_s is None or self._clock.now_s() - taken_s >= self._offset_interval_s:
            self.calibrate_offset()

    def _finished(self) -> bool:
        return bool(self._session.query(":STAT:OPER:EVEN?").integer(0, 65_535) & 1)

    def _trace(self, low_nm: float, high_nm: float) -> Spectrum:
        count = self._session.query(":TRAC:DATA:SNUM? TRA").integer(2, _MOST_POINTS)
        wavelengths_nm = tuple(wavelength_m * 1e9 for wavelength_m in self._values(":TRAC:X? TRA", count))
        powers_dbm = self._values(":TRAC:Y? TRA", count)
        slack_nm = 0.1 + 0.01 * (high_nm - low_nm)
        rising = all(one < next_ for one, next_ in itertools.pairwise(wavelengths_nm))
        if not (
            rising and low_nm - slack_nm <= wavelengths_nm[0] and wavelengths_nm[-1] <= high_nm + slack_nm
        ):
            raise self._no_trace(
                ":TRAC:X? TRA",
                f"{count} wavelengths from {wavelengths_nm[0]:g} to {wavelengths_nm[-1]:g} nm are no sweep "
                f"of {low_nm:g} to {high_nm:g} nm",
            )
        if not all(_LEVELS_DBM[0] <= power_dbm <= _LEVELS_DBM[1] for power_dbm in powers_dbm):
            raise self._no_trace(":TRAC:Y? TRA", "what should be levels in dBm is not")
        return Spectrum(wavelengths_nm, powers_dbm, self._resolution_nm)

    def _values(self, query: str, count: int) -> tuple[float, ...]:
        if not self._binary:
            return self._session.query(query).reals(count)
        block = self._session.query_block(query)
        try:
            return float64_values(self._name, query, block, count)
        except (GarbledReplyError, PartialReplyError, EmptyReplyError):
            self._session.distrust()
            raise

    def _no_trace(self, command: str, what: str) -> GarbledReplyError:
        self._session.distrust()
        return GarbledReplyError(
            self._name,
            what,
            command=command,
            advice="Check that nobody else controls it; with binary_traces, try ASCII.",
        )


def _laser_line(reply: Reply, spectrum: Spectrum) -> LaserLine:
    """Of the answer of the DFB-LD analysis: ``width,peak,level,offset,SMSR``, or, of newer firmware,
    ``peak,level,centre,width,SMSR left,right,offset left,right,SNR,power,RMS,K RMS``; metres, dBm, dB."""
    values = tuple(field.real() for field in reply.fields(5, 12))
    if len(values) == 5:
        _, peak_m, level_dbm, offset_m, smsr_db = values
    else:
        peak_m, level_dbm = values[:2]
        smsr_db, offset_m = min(zip(values[4:6], values[6:8], strict=True))
    peak_nm, side_nm = peak_m * 1e9, (peak_m + offset_m) * 1e9
    found = _highest_near(spectrum, peak_nm)
    if found is None or abs(found - max(spectrum.powers_dbm)) > _LEVEL_AGREES_DB:
        raise reply.garbled("no DFB-LD analysis of this trace: its peak is not the trace's")
    if abs(found - level_dbm) > _LEVEL_AGREES_DB:
        raise reply.garbled("no DFB-LD analysis of this trace: its peak has another level there")
    if offset_m == 0.0:
        return LaserLine(peak_nm, level_dbm, None)
    side_dbm = level_dbm - smsr_db
    found = _highest_near(spectrum, side_nm)
    if found is None or smsr_db < 0.0 or abs(found - side_dbm) > _SIDE_MODE_AGREES_DB:
        raise reply.garbled("no DFB-LD analysis of this trace: its side mode is not in it")
    noise_dbm = sorted(spectrum.powers_dbm)[3 * len(spectrum.powers_dbm) // 4]
    clear = side_dbm >= noise_dbm + _ABOVE_NOISE_DB
    return LaserLine(peak_nm, level_dbm, smsr_db if clear else None)


def _highest_near(spectrum: Spectrum, wavelength_nm: float) -> float | None:
    """Highest level of the trace within a sample of a wavelength; None outside of the sweep."""
    wavelengths_nm: Sequence[float] = spectrum.wavelengths_nm
    first_nm, last_nm = wavelengths_nm[0], wavelengths_nm[-1]
    sample_nm = (last_nm - first_nm) / (len(wavelengths_nm) - 1)
    if not first_nm - sample_nm <= wavelength_nm <= last_nm + sample_nm:
        return None
    place = round((wavelength_nm - first_nm) / sample_nm)
    return max(spectrum.powers_dbm[max(0, place - 1) : place + 2])
