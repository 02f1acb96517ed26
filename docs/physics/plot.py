"""The figures and the table of numbers of docs/physics.md, from the models themselves: ``make physics``."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from drivers.units import dbm_from_w, w_from_dbm
from harness.signal.error_ratio import ber_of_q
from harness.signal.filters import reference_bandwidth_hz
from harness.signal.patterns import pattern
from harness.signal.rin import Definition, rin_oma_of_laser_db_hz
from harness.signal.tdecq import tdecq
from harness.signal.waveform import aligned
from harness.simulation.heat import CaseHeat
from harness.simulation.light import laser as lasers
from harness.simulation.light.beam import PAM4_RATE_BD, Beam, Echo, Modulation, even_levels
from harness.simulation.light.errors import codeword_shares
from harness.simulation.light.explicit_reception import received_symbols
from harness.simulation.light.modulator import printed_levels
from harness.simulation.light.oscilloscope import OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.reception import ReceiverParameters, receive
from harness.simulation.light.spectrum import spectrum_w
from harness.simulation.light.symbols import symbols_of
from harness.simulation.module.lanes.receiver import draw_receivers
from harness.simulation.module.profile import load_profile
from harness.simulation.signals import LineSignal, Pattern
from harness.simulation.world import World

FOLDER = Path(__file__).resolve().parent
DOCUMENT = FOLDER.parent / "physics.md"
BEGIN, END = "<!-- numbers: made by make physics -->", "<!-- end of numbers -->"

_PRBS13Q, _SSPRQ = Pattern(6), Pattern(12)
_COLOURS = ("#0072B2", "#D55E00", "#00785A", "#8F4B77")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lanewise",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.grid": True,
    "grid.color": "#dfe4e9",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
TARGET_BER = 2.4e-4
IDEAL = ReceiverParameters()
USUAL = ReceiverParameters(
    thermal_noise_w=9.2e-6,
    responsivity_a_per_w=0.8,
    overload_w=w_from_dbm(8.0),
    bandwidth_hz=30e9,
    implementation_noise=0.026,
)
"""A receiver with all its imperfections, of about what good modules have; not one module's."""
RIN_DEFINITIONS: Mapping[str, Definition] = {"(OMA/2)²": "modulation_power", "OMA²": "oma"}
CLEAN = Modulation(even_levels(5.0))
GOOD = Modulation(even_levels(5.0), bandwidth_hz=34e9, rin_db_hz=-152.0)


def beam_of_oma(oma_dbm: float, modulation: Modulation = CLEAN, **more: Any) -> Beam:
    """Light of this OMAouter."""
    power_w = w_from_dbm(oma_dbm) / modulation.oma_ratio
    return Beam("light", power_w, 1311.0, LineSignal((_PRBS13Q,)), modulation, **more)


def sensitivity_dbm(
    parameters: ReceiverParameters, modulation: Modulation = CLEAN, ber: float = TARGET_BER, **more: Any
) -> float:
    """OMAouter at which this share of the bits is wrong, below overload."""
    low, high = -12.0, 3.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        found = receive([beam_of_oma(middle, modulation, **more)], parameters).ber
        low, high = (middle, high) if found > ber else (low, middle)
    return 0.5 * (low + high)


def measured_tdecq_db(modulation: Modulation) -> float:
    """TDECQ of SSPRQ as an oscilloscope without noise sees it."""
    beam = replace(beam_of_oma(0.0, modulation), signal=LineSignal((_SSPRQ,)))
    front_end = OscilloscopeFrontEnd(reference_bandwidth_hz(PAM4_RATE_BD))
    trace = seen_by_oscilloscope([beam], _SSPRQ, front_end)
    symbols = pattern("SSPRQ").symbols()
    return tdecq(aligned(trace, symbols), symbols, reference_filter_applied=True).tdecq_db


# -- figures -------------------------------------------------------------------------------------------


def laser_figure(axes: Sequence[Axes]) -> None:
    """L-I curves, and what the power control makes of them."""
    diode = lasers.characterised(
        lasers.Laser(
            threshold_a=12e-3,
            slope_w_per_a=0.030,
            t0_k=60.0,
            t1_k=150.0,
            bias_limit_a=115e-3,
            target_w=1.3e-3,
            wavelength_nm=1311.0,
            wavelength_slope_nm_per_c=0.09,
            thermal_resistance_k_per_w=120.0,
        )
    )
    bias_a = np.linspace(0.0, 0.16, 161)
    for index, case_c in enumerate((0.0, 25.0, 70.0)):
        power_mw = [1e3 * lasers.power_at_bias_w(diode, case_c, float(bias)) for bias in bias_a]
        _line(axes[0], 1e3 * bias_a, power_mw, index, f"{case_c:g} °C")
    axes[0].axhline(1.3, color="#51606f", linewidth=0.8, linestyle=":")
    axes[0].annotate("held by the power control", (2, 1.36), color="#51606f")
    _name(axes[0], "bias, mA", "power in the fibre, mW", "L-I with its own heat (120 K/W)")
    case_c = np.linspace(-10.0, 110.0, 121)
    for index, hours in enumerate((0.0, 5e4, 2e5)):
        old = lasers.aged(diode, hours, 60.0)
        points = [lasers.operating_point(old, float(at_c)) for at_c in case_c]
        _line(axes[1], case_c, [1e3 * point.bias_a for point in points], index, f"{hours:g} h")
    _name(axes[1], "case temperature, °C", "bias, mA", "bias for the same power, aged at 60 °C")


def eye_figure(axes: Sequence[Axes]) -> None:
    """Eyes behind the reference receiver's filter."""
    drifted = printed_levels(5.0, bias_error=0.15, level_mismatch=0.0)
    kinds = {
        "good": GOOD,
        "bandwidth 18 GHz": replace(GOOD, bandwidth_hz=18e9),
        "modulator bias off by 0.15 Vπ": replace(GOOD, levels=drifted),
    }
    rng = np.random.Generator(np.random.Philox(1))
    for panel, (name, modulation) in zip(axes, kinds.items(), strict=True):
        front_end = OscilloscopeFrontEnd(reference_bandwidth_hz(PAM4_RATE_BD), noise_w=8e-6)
        trace = seen_by_oscilloscope([beam_of_oma(0.0, modulation)], _PRBS13Q, front_end, rng=rng)
        trace = aligned(trace, symbols_of(_PRBS13Q))
        per_ui = round(trace.samples_per_ui)
        times = (np.arange(trace.samples_w.size) / per_ui + trace.start_ui) % 2.0
        edges = [np.linspace(0.0, 2.0, 2 * per_ui + 1), np.linspace(0.0, 2.1, 70)]
        counts, _, _ = np.histogram2d(times, trace.samples_w * 1e3, bins=edges)
        panel.imshow(
            np.sqrt(counts.T), origin="lower", extent=(0, 2, 0, 2.1), aspect="auto", cmap="Greys",
            interpolation="nearest",
        )  # fmt: skip
        panel.grid(visible=False)
        title = f"{name}\nTDECQ {measured_tdecq_db(modulation):.2f} dB"
        _name(panel, "UI", "mW" if panel is axes[0] else "", title, legend=False)


def waterfall_figure(axes: Sequence[Axes]) -> None:
    """Error ratios against OMAouter, with points worked through symbol by symbol."""
    oma_dbm = np.arange(-9.0, -1.4, 0.1)
    kinds = {
        "ideal": (IDEAL, CLEAN),
        "usual, good light": (USUAL, GOOD),
        "usual, 20 GHz transmitter": (USUAL, replace(GOOD, bandwidth_hz=20e9)),
        "usual, noisy laser (-141 dB/Hz)": (USUAL, replace(GOOD, rin_db_hz=-141.0)),
    }
    rng = np.random.Generator(np.random.Philox(2))
    for index, (name, (parameters, modulation)) in enumerate(kinds.items()):
        bers = [receive([beam_of_oma(float(oma), modulation)], parameters).ber for oma in oma_dbm]
        _line(axes[0], oma_dbm, np.maximum(bers, 1e-13), index, name)
        at_dbm = sensitivity_dbm(parameters, modulation, 1e-2)
        symbols = symbols_of(None, 1 << 18, rng=rng)
        for oma in (at_dbm, at_dbm + 0.7, at_dbm + 1.4):
            found = received_symbols([beam_of_oma(oma, modulation)], symbols, parameters, rng=rng)
            if found.ber > 0.0:
                axes[0].plot(oma, found.ber, "o", color=_COLOURS[index], markersize=3.5)
    q = [w_from_dbm(float(oma)) / (6.0 * 14.4e-6) for oma in oma_dbm]
    axes[0].plot(oma_dbm, [max(1e-13, ber_of_q(each)) for each in q], ":", color="black", linewidth=2.2,
                 alpha=0.4, label="closed form 0.75 Q(OMA / 6σ)")  # fmt: skip
    axes[0].axhline(TARGET_BER, color="#a3201a", linewidth=0.8)
    axes[0].set_yscale("log")
    axes[0].set_ylim(1e-12, 0.3)
    _name(axes[0], "OMAouter at the photodiode, dBm", "bit error ratio", "points: 2^18 symbols each")


def penalty_figure(axes: Sequence[Axes]) -> None:
    """What a sensitivity loses."""
    rin = np.arange(-160.0, -134.9, 0.5)
    clean_dbm = sensitivity_dbm(IDEAL)
    noisy = [sensitivity_dbm(IDEAL, replace(CLEAN, rin_db_hz=float(each))) - clean_dbm for each in rin]
    held = [rin_oma_of_laser_db_hz(float(each), 5.0, definition="oma") for each in rin]
    _line(axes[0], held, noisy, 0, "this world")
    sigma2 = [10.0 ** (each / 10.0) * 26.5625e9 * 1.046 for each in held]
    closed = [-5.0 * math.log10(max(1e-6, 1.0 - 36.0 * 3.414**2 * each)) for each in sigma2]
    _line(axes[0], held, closed, 1, "noise alike on all levels")
    axes[0].set_ylim(0.0, 1.5)
    _name(axes[0], "RIN-OMA over OMA², dB/Hz", "penalty, dB", "laser noise")
    bandwidths = np.arange(14.0, 60.1, 2.0)
    best_dbm = sensitivity_dbm(USUAL, CLEAN)
    for index, taps in enumerate((1, 5, 15)):
        equalised = replace(USUAL, equaliser_taps=taps)
        lost = [
            sensitivity_dbm(equalised, Modulation(even_levels(5.0), bandwidth_hz=1e9 * float(each)))
            - best_dbm
            for each in bandwidths
        ]
        _line(axes[1], bandwidths, lost, index, f"{taps} taps" if taps > 1 else "no equaliser")
    axes[1].set_ylim(-0.2, 5.0)
    _name(axes[1], "transmitter bandwidth, GHz", "penalty, dB", "bandwidth and equaliser")


def overload_figure(axes: Sequence[Axes]) -> None:
    """More light helps until the amplifier saturates."""
    oma_dbm = np.arange(-8.0, 10.1, 0.1)
    for index, overload_dbm in enumerate((8.0, 5.0, 2.0)):
        parameters = replace(USUAL, overload_w=w_from_dbm(overload_dbm))
        bers = [receive([beam_of_oma(float(oma), GOOD)], parameters).ber for oma in oma_dbm]
        _line(axes[0], oma_dbm, np.maximum(bers, 1e-13), index, f"1 dB at {overload_dbm:g} dBm")
    axes[0].axhline(TARGET_BER, color="#a3201a", linewidth=0.8)
    axes[0].set_yscale("log")
    axes[0].set_ylim(1e-12, 0.3)
    _name(axes[0], "OMAouter at the photodiode, dBm", "bit error ratio", "saturating amplifier")
    phases = np.linspace(0.0, 2.0 * math.pi, 25)
    at_dbm = sensitivity_dbm(USUAL, GOOD)
    for index, pair_db in enumerate((-20.0, -23.0, -26.0)):
        field = 10.0 ** (2.0 * pair_db / 20.0)
        lost = [
            sensitivity_dbm(USUAL, GOOD, echoes=(Echo(field, 500.3, float(phase)),)) - at_dbm
            for phase in phases
        ]
        _line(axes[1], phases / math.pi, lost, index, f"two reflections of {pair_db:g} dB")
    axes[1].set_ylim(-0.15, 0.35)
    _name(axes[1], "phase between light and echo, π", "penalty at 2.4e-4, dB", "multipath interference")


def fec_figure(axes: Sequence[Axes]) -> None:
    """Wrong symbols of a codeword, alone and in bursts."""
    bins = np.arange(17)
    for index, burst in enumerate((1.0, 3.0, 40.0)):
        shares = np.maximum(codeword_shares([TARGET_BER] * 4, burst), 1e-16)
        name = "independent" if burst == 1.0 else f"bursts of {burst:g} bits"
        axes[0].plot(bins, shares, "o", color=_COLOURS[index], markersize=4, linestyle=_DASHES[index],
                     linewidth=1.0, label=name)  # fmt: skip
    axes[0].set_yscale("log")
    axes[0].set_xticks([0, 4, 8, 12, 16], ["0", "4", "8", "12", ">15"])
    _name(axes[0], "wrong symbols of 544", "share of codewords", f"KP4 at {TARGET_BER:g}")


def spectrum_figure(axes: Sequence[Axes]) -> None:
    """What a spectrum analyser shows."""
    span = np.linspace(1305.0, 1317.0, 1201)
    for index, smsr_db in enumerate((45.0, 25.0)):
        light = replace(beam_of_oma(0.0), modulation=replace(GOOD, smsr_db=smsr_db))
        power_w = spectrum_w([light], span, resolution_nm=0.06, floor_w=w_from_dbm(-60.0))
        _line(axes[0], span, [dbm_from_w(float(each)) for each in power_w], index, f"SMSR {smsr_db:g} dB")
    _name(axes[0], "wavelength, nm", "dBm in 0.06 nm", "one laser")
    span = np.linspace(1260.0, 1342.0, 1641)
    four = [
        replace(beam_of_oma(0.0), source=f"tx{nm}", wavelength_nm=nm)
        for nm in (1271.0, 1291.0, 1311.0, 1331.0)
    ]
    power_w = spectrum_w(four, span, resolution_nm=0.2, floor_w=w_from_dbm(-60.0))
    _line(axes[1], span, [dbm_from_w(float(each)) for each in power_w], 0, "FR4")
    _name(axes[1], "wavelength, nm", "dBm in 0.2 nm", "four lanes in a fibre", legend=False)


def heat_figure(axes: Sequence[Axes]) -> None:
    """A case in still air, and in moving air."""
    for index, (name, speed, leakage_w) in enumerate(
        (("still air", 0.0, 0.0), ("2 m/s", 2.0, 0.0), ("still air, leakage", 0.0, 2.5))
    ):
        world = World(1)
        heat = CaseHeat(world, room_temp_c=25.0, airflow_m_per_s=speed)

        def consumption_w(heat: CaseHeat = heat, leakage_w: float = leakage_w) -> float:
            return 9.0 + leakage_w * 2.0 ** ((heat.case_temp_c() - 25.0) / 25.0)

        heat.connect_load(consumption_w)
        times, temperatures = [], []
        for _ in range(160):
            times.append(world.now_s / 60.0)
            temperatures.append(heat.case_temp_c())
            world.advance(5.0)
        _line(axes[0], times, temperatures, index, name)
    _name(axes[0], "minutes after power-on", "case, °C", "9 W in 25 °C; leakage doubles every 25 °C")


FIGURES: Mapping[str, tuple[Callable[[Sequence[Axes]], None], int]] = {
    "laser": (laser_figure, 2),
    "eyes": (eye_figure, 3),
    "waterfall": (waterfall_figure, 1),
    "penalties": (penalty_figure, 2),
    "overload": (overload_figure, 2),
    "fec": (fec_figure, 1),
    "spectrum": (spectrum_figure, 2),
    "heat": (heat_figure, 1),
}
"""Name to function and number of panels."""


def numbers() -> list[tuple[str, str, str]]:
    """(what, reference or closed form, this world) of the document's table."""
    clean_dbm = sensitivity_dbm(IDEAL)

    def penalty(rin_oma_db_hz: float) -> str:
        # Even noise on all levels: as much as the laser's at an extinction ratio that is barely one.
        own = rin_oma_db_hz - rin_oma_of_laser_db_hz(0.0, 0.05, definition="oma")
        modulation = Modulation(even_levels(0.05), rin_db_hz=own)
        return f"{sensitivity_dbm(IDEAL, modulation) - clean_dbm:.2f} dB"

    rows = [("ideal receiver, sensitivity at 2.4e-4", "-5.30 dBm", f"{clean_dbm:.2f} dBm")]
    rows += [
        (f"penalty of RIN-OMA {rin} dB/Hz (over OMA²)", f"{known} dB", penalty(rin))
        for rin, known in ((-136.0, "0.75"), (-140.0, "0.27"), (-145.0, "0.08"))
    ]
    rows += [
        (
            f"TDECQ of a transmitter of {share:g} baud",
            f"{known} dB",
            f"{measured_tdecq_db(Modulation(even_levels(5.0), bandwidth_hz=share * PAM4_RATE_BD)):.2f} dB",
        )
        for share, known in ((0.75, "0.73"), (0.60, "0.97"), (0.40, "1.92"))
    ]
    rows.append(("TDECQ of the good transmitter of the figures", "—", f"{measured_tdecq_db(GOOD):.2f} dB"))
    rows += [
        (
            f"RIN-OMA of its laser (-152 dB/Hz), over {shown}",
            "—",
            f"{rin_oma_of_laser_db_hz(-152.0, 5.0, definition=definition):.2f} dB/Hz",
        )
        for shown, definition in RIN_DEFINITIONS.items()
    ]
    rows.append(
        ("usual receiver of the figures, sensitivity to it", "—", f"{sensitivity_dbm(USUAL, GOOD):.2f} dBm")
    )
    for name in ("good-dr4", "good-fr4", "good-lr4"):
        receiver = draw_receivers(load_profile(name).receiver, 1, lambda key, lane: 0.5)[0].parameters
        rows.append((f"receiver of `{name}`, the same", "—", f"{sensitivity_dbm(receiver, GOOD):.2f} dBm"))
    return rows


def table() -> str:
    """The rows as Markdown."""
    lines = ["| what | reference | this world |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in numbers()])


def _line(axes: Axes, x: Any, y: Any, index: int, label: str) -> None:
    axes.plot(x, y, color=_COLOURS[index], linestyle=_DASHES[index], linewidth=1.3, label=label)


def _name(axes: Axes, x: str, y: str, title: str, *, legend: bool = True) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize=9)
    if legend:
        axes.legend()


def draw(name: str) -> bytes:
    """A figure, as SVG: the same models give the same bytes."""
    function, panels = FIGURES[name]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.3 * max(2, panels), 3.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, panels, squeeze=False)[0]
        function(list(axes))
        target = FOLDER / f"{name}.svg"
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"[ \t]+$", "", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
    target.write_text(text, encoding="utf-8")
    return text.encode()


def main(names: Sequence[str]) -> int:
    """Draw the figures of these names, or all and the table."""
    for name in names or FIGURES:
        sys.stdout.write(f"{name}.svg: {len(draw(name)) // 1024} KiB\n")
    if not names:
        text = DOCUMENT.read_text(encoding="utf-8")
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        DOCUMENT.write_text(f"{text[:begin]}\n{table()}\n{text[end:]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
