"""What ``lanewise bench check`` says of the module's receivers, and of what a simulated bench has wrong."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.errors import BenchError
from harness.bench import Bench
from harness.bench_file.reading import BenchSpec
from harness.bench_file.simulation_section import FaultSpec, WiringFaultSpec
from harness.text import columns
from harness.wiring import MODULE, REFERENCE, OpticalPath, Port


def receivers_table(bench: Bench, spec: BenchSpec, lanes: Sequence[int], complaints: dict[str, str]) -> str:
    """Light that can be brought to each receiver: from the reference transmitter and from the module's own.
    A receiver that no fibre goes to is no problem, for not every plan needs it; it is listed."""
    rows, dark = [], []
    for lane in lanes:
        receiver = Port(MODULE, f"rx{lane}")
        if not spec.wiring.is_plugged(receiver):
            dark.append(str(receiver))
            continue
        found = False
        for source in (_reference_port(spec, lane), Port(MODULE, f"tx{lane}")):
            if source is None or not spec.wiring.is_plugged(source):
                continue
            try:
                path = _best(spec.wiring.ways(source, receiver))
            except BenchError as fault:
                complaints[f"ways from {source} to {receiver}"] = str(fault)
                found = True
                continue
            if path is not None:
                found = True
                rows.append((f"Rx{lane}", *_row(bench, spec, path)))
        if not found:
            rows.append((f"Rx{lane}", "from no transmitter", "", "", ""))
    parts = [columns(("receiver", "path", "loss", "U (k = 2)", "power at TP3"), rows)] if rows else []
    if dark:
        parts.append(f"no fibre goes to {', '.join(dark)}")
    return "\n".join(parts)


def fault_lines(spec: BenchSpec) -> list[str]:
    """What goes wrong on a simulated bench, one line for each fault of its file."""
    faults = spec.simulation.faults if spec.simulation is not None else ()
    return [f"simulated fault: {_described(fault)} from {fault.at_s:g} s" for fault in faults]


def _reference_port(spec: BenchSpec, lane: int) -> Port | None:
    """Where the light for a lane comes from: the port of its number, or the one that all lanes share."""
    for port in (Port(REFERENCE, str(lane)), Port(REFERENCE, "1")):
        if spec.wiring.is_plugged(port):
            return port
    return None


def _best(ways: Sequence[OpticalPath]) -> OpticalPath | None:
    """The shortest through an attenuator, by which power can be set; else the shortest."""
    attenuated = [way for way in ways if way.attenuators]
    return next(iter([*sorted(attenuated, key=lambda way: len(way.routes)), *ways]), None)


def _row(bench: Bench, spec: BenchSpec, path: OpticalPath) -> tuple[str, str, str, str]:
    least_db = most_db = path.loss_db
    if path.attenuators and "attenuator" in bench.instruments:
        low_db, high_db = bench.attenuator.attenuation_range_db
        least_db += low_db * len(path.attenuators)
        most_db += high_db * len(path.attenuators)
    return (
        " > ".join(path.hops),
        f"{path.loss_db:.2f} dB",
        f"± {path.uncertainty_db:.2f} dB",
        _power(_launched_dbm(spec, path.start), least_db, most_db),
    )


def _launched_dbm(spec: BenchSpec, source: Port) -> float | None:
    """What the bench file states of a source; None: nothing."""
    part = spec.instruments.get(source.role)
    return part.launch_power_dbm if part is not None else None


def _power(launched_dbm: float | None, least_db: float, most_db: float) -> str:
    if launched_dbm is None:
        span = f"{least_db:.2f} dB" if least_db == most_db else f"{least_db:.2f} .. {most_db:.2f} dB"
        return f"{span} below launch power"
    if least_db == most_db:
        return f"{launched_dbm - least_db:.2f} dBm"
    return f"{launched_dbm - most_db:.2f} .. {launched_dbm - least_db:.2f} dBm"


def _described(fault: FaultSpec | WiringFaultSpec) -> str:
    if isinstance(fault, FaultSpec):
        return f"{fault.kind} of {fault.role}"
    said = [fault.kind]
    if fault.port is not None:
        said.append(f"at {fault.port}")
    if fault.kind == "bent_fibre":
        said.append(f"{fault.loss_db:g} dB")
    elif fault.port is not None:
        said.append(f"severity {fault.severity:g}")
    if fault.polarity:
        said.append(f"type {fault.polarity}")
    if fault.lanes:
        said.append(f"{', '.join(map(str, fault.lanes))} ({fault.legs})")
    return " ".join(said)
