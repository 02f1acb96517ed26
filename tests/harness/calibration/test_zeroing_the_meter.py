"""``lanewise bench zero``: ports that are dark are zeroed and read again, others are named and left alone."""

from __future__ import annotations


def test_zeroing_takes_the_dark_offset_off(bench_command, changed_bench):
    done = bench_command("zero", changed_bench())
    assert done.code == 0, done.printed + done.complained
    assert done.printed.splitlines()[-1] == "ZEROED (SIMULATED)"
    (record,) = done.records
    checks = {check["subject"]: check["numbers"] for check in record["checks"]}
    assert list(checks) == [f"power_meter.{port}" for port in range(1, 9)]
    # Noise of 1.5 pW at 1 s, of offsets up to 5 pW: all together much less is left.
    before = sum(numbers["before_w"] ** 2 for numbers in checks.values())
    after = sum(numbers["after_w"] ** 2 for numbers in checks.values())
    assert 0.0 < after < before
    assert [entry["role"] for entry in record["instruments"]] == ["power_meter"]
    assert record["instruments"][0]["serial"] == "SIM0001"


def stray(power: str) -> str:
    fibre = 'from = "optical_switch.29"\nto = "power_meter.5"\nloss = "0.3 dB"\nuncertainty = "0.1 dB"'
    light = f'kind = "stray_light"\nport = "power_meter.5"\npower = "{power}"'
    return f"[[fibre]]\n{fibre}\n[[simulation.fault]]\n{light}"


def test_a_port_with_light_is_named_and_left_alone(bench_command, changed_bench):
    done = bench_command("zero", changed_bench(more=stray("0 dBm")))
    assert done.code == 2
    assert "Light comes from optical_switch.29" in done.printed
    (record,) = done.records
    outcome = {check["subject"]: (check["step"], check["outcome"]) for check in record["checks"]}
    assert outcome.pop("power_meter.5") == ("dark", "failed")
    assert set(outcome.values()) == {("zero", "passed")}
    assert len(outcome) == 7


def test_the_meters_own_word_counts_too(bench_command, changed_bench):
    # Told that -10 dBm is dark, the meter still refuses to zero what it sees.
    done = bench_command("zero", changed_bench(more=stray("-28 dBm")), "--dark-dbm", "-10")
    assert done.code == 2
    (wrong,) = [check for check in done.records[0]["checks"] if check["outcome"] == "failed"]
    assert "zeroing of port 5 failed" in wrong["found"]
