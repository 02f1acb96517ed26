"""Which modules go on which simulated bench."""

from __future__ import annotations

import dataclasses

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from harness.bench_file.reading import BenchSpec, find_bench_file, load_bench
from harness.simulation.bench import SimulatedBackend


def bench_with(module: str, *roles: str) -> BenchSpec:
    """The shipped simulated bench with another module; ``roles``: these instruments alone."""
    spec = load_bench(find_bench_file("sim-dr4"))
    assert spec.simulation is not None
    instruments = {role: part for role, part in spec.instruments.items() if not roles or role in roles}
    return dataclasses.replace(
        spec, instruments=instruments, simulation=dataclasses.replace(spec.simulation, module=module)
    )


def opened(spec: BenchSpec) -> SimulatedBackend:
    assert spec.simulation is not None
    return SimulatedBackend(spec, spec.simulation, StopFlag())


@pytest.mark.parametrize(
    ("module", "has"),
    [
        ("good-fr4", "4 media lanes in one pair of fibres"),
        ("good-lr4", "4 media lanes in one pair of fibres"),
        ("flat-dac", "no fibres"),
    ],
)
def test_a_module_with_fewer_fibres_than_are_wired_is_refused(module: str, has: str) -> None:
    with pytest.raises(BenchError, match=has) as caught:
        opened(bench_with(module))
    assert module in str(caught.value)


@pytest.mark.parametrize("module", ["good-fr4", "flat-dac", "good-dr4-osfp"])
def test_the_module_alone_goes_on_any_bench(module: str) -> None:
    backend = opened(bench_with(module, "host_board", "power_supply"))
    assert backend.module.profile.name == module
    backend.close()
