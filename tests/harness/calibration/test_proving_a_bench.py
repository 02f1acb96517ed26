"""``lanewise bench prove`` on benches that are as their files say, and on those that are not."""

from __future__ import annotations

from harness.bench_file.reading import load_bench
from harness.calibration.checks import Outcome
from harness.calibration.darkness import check_darkness, make_dark
from harness.opening import open_bench


def of_step(record, step):
    return {check["subject"]: check for check in record["checks"] if check["step"] == step}


def failed(record):
    return [check for check in record["checks"] if check["outcome"] == "failed"]


def test_a_good_bench_is_proven(proven_lab):
    assert proven_lab.code == 0, proven_lab.printed + proven_lab.complained
    assert proven_lab.printed.splitlines()[0] == "sim-dr4: proving the bench (SIMULATED)"
    assert proven_lab.printed.splitlines()[-1] == "PROVEN (SIMULATED)"
    assert str(proven_lab.paths[0]) in proven_lab.printed
    (record,) = proven_lab.records
    assert (record["kind"], record["passed"], record["simulated"]) == ("prove", True, True)
    assert {check["outcome"] for check in record["checks"]} == {"passed"}
    assert record["not_safe"] == []


def test_every_number_is_kept(proven_lab):
    (record,) = proven_lab.records
    dark = of_step(record, "dark")
    assert list(dark) == [f"power_meter.{port}" for port in range(1, 9)]
    assert all(abs(value) < 1e-8 for check in dark.values() for value in check["numbers"]["readings_w"])
    walk = of_step(record, "one lane at a time")
    assert {lane: check["numbers"]["arrived_at"] for lane, check in walk.items()} == {
        f"module.tx{lane}": [lane] for lane in (1, 2, 3, 4)
    }
    losses = of_step(record, "losses")
    assert [len(check["numbers"]["ways"]) for check in losses.values()] == [4, 4, 4, 4]
    step = of_step(record, "3 dB step")["attenuator.1"]["numbers"]
    assert 1.9 < step["before_w"] / step["after_w"] < 2.1
    assert abs(step["shut_w"]) < 1e-9
    scope = of_step(record, "oscilloscope against meter")
    assert list(scope) == [f"module.tx{lane}" for lane in (1, 2, 3, 4)]
    assert all(check["numbers"]["oscilloscope_w"] > 1e-4 for check in scope.values())


def test_the_instruments_that_took_part_are_named(proven_lab):
    (record,) = proven_lab.records
    meter = record["instruments"][0]
    assert (meter["role"], meter["driver"], meter["model"]) == ("power_meter", "keysight-n7745c", "N7745C")
    assert meter["serial"] == "SIM0001"
    assert meter["firmware"]
    assert meter["calibration"]["certificate"] == "SIM-PM-0001"
    assert set(record["proven_roles"]) == {
        "attenuator",
        "host_board",
        "optical_switch",
        "oscilloscope",
        "power_meter",
        "power_supply",
        "thermal",
    }


def test_swapped_fibres_are_named(bench_command, changed_bench):
    swap = '[[simulation.fault]]\nkind = "lane_swap"\nlanes = [2, 3]\nlegs = "tx"\nat = "0 s"\n'
    done = bench_command("prove", changed_bench(more=swap))
    assert done.code == 2
    assert done.printed.splitlines()[-1] == "NOT PROVEN (SIMULATED)"
    (record,) = done.records
    walk = of_step(record, "one lane at a time")
    wrong = [subject for subject, check in walk.items() if check["outcome"] == "failed"]
    assert wrong == ["module.tx2", "module.tx3"]
    assert walk["module.tx2"]["found"] == "lane 2 arrives at power_meter.3, power_meter.2 expected"
    cause = "Two fibres are exchanged: module.tx2 with module.tx3"
    assert cause in walk["module.tx2"]["advice"]
    assert cause in done.printed
    assert all(check["outcome"] == "not done" for check in of_step(record, "losses").values())
    assert record["proven_roles"] == []


def test_a_fibre_that_loses_more_than_is_stated_and_no_pad(bench_command, changed_bench):
    bent = 'kind = "bent_fibre"\nport = "power_meter.2"\nloss = "1.5 dB"\nat = "0 s"'
    done = bench_command("prove", changed_bench(more=f"[[simulation.fault]]\n{bent}"))
    assert done.code == 2
    wrong = failed(done.records[0])
    # Each lane sees it, and the port that all of them name is the fibre's.
    assert [check["subject"] for check in wrong] == [f"module.tx{lane}" for lane in (1, 2, 3, 4)]
    for check in wrong:
        assert check["step"] == "losses"
        assert check["found"].startswith("by power_meter.2 it is -1.")
        assert "by power_meter.1" not in check["found"]
        assert "clean each end of optical_switch." in check["advice"]
    assert of_step(done.records[0], "3 dB step")["pad"]["outcome"] == "not done"


def test_a_module_without_light_proves_nothing_and_is_not_blamed(bench_command, changed_bench):
    done = bench_command("prove", changed_bench(), "--module", "dr4-lane2-stuck-config")
    assert done.code == 2
    (wrong,) = failed(done.records[0])
    assert wrong["step"] == "light"
    assert "says nothing of the module" in wrong["found"]
    assert "known to be good" in wrong["advice"]


def test_light_that_is_not_the_benchs_own_is_named(changed_bench):
    fibre = 'from = "optical_switch.29"\nto = "power_meter.5"\nloss = "0.3 dB"\nuncertainty = "0.1 dB"'
    light = 'kind = "stray_light"\nport = "power_meter.5"\npower = "-10 dBm"'
    stray = changed_bench(more=f"[[fibre]]\n{fibre}\n[[simulation.fault]]\n{light}")
    bench = open_bench(load_bench(stray))
    try:
        bench.connect()
        assert make_dark(bench) == ("module's supply off", "all routes open")
        checks = check_darkness(bench)
    finally:
        bench.close()
    (wrong,) = [check for check in checks if check.outcome is Outcome.FAILED]
    assert wrong.subject == "power_meter.5"
    assert "Light comes from optical_switch.29" in wrong.advice


def test_a_dead_instrument_is_a_fault_of_the_bench(bench_command, changed_bench):
    dead = changed_bench(more='[[simulation.fault]]\nrole = "power_meter"\nkind = "dies"\nat = "0 s"')
    done = bench_command("prove", dead)
    assert done.code == 2
    assert "power_meter" in done.complained
    assert "The bench is not proven." in done.complained
    assert done.records == []
