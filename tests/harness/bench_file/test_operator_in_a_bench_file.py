"""Role ``operator`` in a bench file: opened as an instrument is, on a simulated bench too."""

from __future__ import annotations

import pytest

from harness.bench_file.reading import load_bench
from harness.commands.bench import main
from harness.opening import open_bench
from harness.simulation.serving.bench_file import served_bench_file
from harness.simulation.serving.bench_server import BenchServer
from harness.tables import TableError

OPERATOR = """[instruments.operator]
driver = "operator-headless"
address = "nobody"
options = { answers = ["done"] }

[supply]"""


def test_it_answers_from_the_bench_file(bench_file, capsys):
    path = bench_file(("[supply]", OPERATOR))
    bench = open_bench(load_bench(path))
    try:
        bench.connect()
        assert bench.operator.ask("Clean the end face.", answers=("skip", "done")) == "done"
        assert all(result.step.safe for result in bench.make_safe())
    finally:
        bench.close()
    assert main(["check", str(path)]) == 0
    assert "HeadlessOperator" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            '"nobody"',
            '"GPIB0::18::INSTR"',
            "operator.address: 'GPIB0::18::INSTR' is no operator; write terminal",
        ),
        ('["done"]', '"done"', "option 'answers' must be a list"),
        ('["done"]', "[1]", "must be a list of texts"),
        ("operator-headless", "operator-terminal", "has no option 'answers'"),
        ("operator-headless", "polatis", "polatis cannot be a operator"),
    ],
)
def test_mistakes_are_named(bench_file, old, new, complaint):
    with pytest.raises(TableError, match=complaint.replace("(", r"\(")):
        load_bench(bench_file(("[supply]", OPERATOR.replace(old, new))))


def test_a_served_bench_leaves_its_operator_where_he_is(bench_file, tmp_path):
    source = bench_file(("[supply]", OPERATOR))
    with BenchServer(load_bench(source)) as server:
        assert "operator" not in [served.role for served in server.instruments]
        served = tmp_path / "served.toml"
        served.write_text(served_bench_file(source, server), encoding="utf-8")
        assert load_bench(served).instruments["operator"].address == "nobody"
