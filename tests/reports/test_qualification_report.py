"""``report.html``: what a reader finds in it, for sound, failing, conditional, invalid and torn runs."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest

from harness.judging.limits import limits_of_pmd
from harness.run_folder.manifest import InstrumentEntry
from harness.run_folder.records import (
    Acquisition,
    BringUp,
    Invalid,
    Measurement,
    RunFinished,
    SafeState,
    Skipped,
    UnknownRecord,
)
from reports.parquet import write_measurements
from reports.report import write_report


class Page(HTMLParser):
    """The page as a reader has it: headings, text per section, and cells with their hover titles."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html):
        super().__init__()
        self.html, self.sections, self.titles, self.tags = html, {}, [], []
        self._heading, self._open, self._ignored = "", [], 0
        self.feed(html)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if "title" in given:
            self.titles.append(given["title"])
        if tag == "h2":
            self._heading = None
        self._ignored += tag in {"style", "svg"}
        if tag not in self.VOID and not self._ignored:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in {"style", "svg"}:
            self._ignored -= 1
        elif not self._ignored:
            assert self._open.pop() == tag

    def handle_data(self, data):
        if self._ignored:
            return
        if self._heading is None:
            self._heading = "" if data.isdigit() else data
            if data.isdigit():
                self._heading = None
                return
        self.sections[self._heading] = f"{self.sections.get(self._heading, '')} {data}"

    def text(self, heading=None):
        found = " ".join(self.sections.values()) if heading is None else self.sections[heading]
        return re.sub(r"\s+", " ", found.replace("\u00a0", " "))


def _page(run):
    return Page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def page_of(untouched_run):
    """The page of an untouched run of a kind, rendered once."""
    pages = {}

    def give(kind):
        if kind not in pages:
            pages[kind] = _page(untouched_run(kind))
        return pages[kind]

    return give


def _drop(*kinds):
    return lambda record: None if isinstance(record, kinds) else record


def test_the_sections_stand_in_their_order(page_of):
    assert list(page_of("failing").sections)[1:] == [
        "Items that did not pass outright",
        "Module",
        "Margin matrix",
        "Average launch power",
        "Average launch power of OFF transmitter",
        "Tx power monitor error",
        "Temperature monitor error",
        "Power consumption",
        "Bring-up, share of the advertised time",
        "Bring-up of the module",
        "Corners as reached",
        "Proof of the safe state",
        "Skipped and invalid items, waivers and repeats",
        "Test system",
        "Measurement uncertainty",
        "About the limits",
        "Traceability",
    ]


@pytest.mark.parametrize(
    ("kind", "word", "sentence"),
    [
        ("good", "pass", "inside its limits by at least its measurement uncertainty"),
        ("conditional_pass", "conditional pass", "at least one of them by less than its uncertainty"),
        (
            "conditional_fail",
            "conditional fail",
            "outside its limit, by no more than its measurement uncertainty",
        ),
        ("failing", "fail", "outside its limit by more than its measurement uncertainty"),
        ("invalid", "invalid", "The bench, not the module, kept this run from a verdict"),
    ],
)
def test_the_verdict_in_words(page_of, kind, word, sentence):
    page = page_of(kind)
    stamp = re.search(r'<span class="word">([^<]+)</span>', page.html)
    assert stamp is not None
    assert stamp[1] == word
    assert sentence in page.text("")


def test_the_worst_margin_names_parameter_lane_and_corner(page_of):
    text = page_of("conditional_fail").text("")
    assert (
        "Worst margin −0.08 dB Average launch power , lane 2, at 70 °C, 3.465 V: −2.98 dBm ± 0.21 dB" in text
    )


def test_a_failing_lane_is_named_with_its_corners_and_value(page_of):
    text = page_of("failing").text("Items that did not pass outright")
    assert re.search(
        r"Average launch power lane 3 fail 9 of 9 −4\.\d\d dBm ± 0\.21 dB −2\.9 to 4 dBm −1\.\d\d dB", text
    )
    assert "lane 1" not in text


def test_the_matrix_tells_verdicts_by_letter_and_names_the_corner(page_of):
    page = page_of("conditional_pass")
    row = page.text("Margin matrix").split("Average launch power of OFF")[0]
    assert re.search(r"\+\d\.\d\d dB P .* \+0\.0\d dB CP 70 °C, 3\.\d+ V .* P", row)
    assert any(
        re.match(r"conditional pass; worst at 70 °C, 3\.\d+ V, visit 3: −2\.8", t.replace("\u00a0", " "))
        for t in page.titles
    )


def test_a_bench_fault_reads_as_one_and_never_as_a_failure(page_of):
    page = page_of("invalid")
    text = page.text("Bench faults")
    assert "A fault of the bench is not a failure of the module" in text
    assert "did not answer FETCh:POWer?" in text
    assert "12 items" in text
    assert " fail " not in page.text("")
    assert "test_average_launch_power[1-70.0-3.135]" in page.text(
        "Skipped and invalid items, waivers and repeats"
    )


def test_failures_of_an_invalid_run_are_not_proven(make_run):
    fault = Invalid("2026-08-17T19:00:00Z", "t", "power_meter: no reply")

    def invalid_end(record):
        return dataclasses.replace(record, verdict="invalid") if isinstance(record, RunFinished) else record

    text = _page(make_run("failing", edit=invalid_end, extra=(fault,))).text("")
    assert "9 measured values outside a limit: to be repeated on a sound bench" in text


def test_a_run_without_binding_limits_blames_nobody(make_run):
    def unjudged(record):
        if isinstance(record, Measurement):
            return dataclasses.replace(record, low=None, high=None, margin=None, verdict="info")
        return dataclasses.replace(record, verdict="invalid") if isinstance(record, RunFinished) else record

    text = _page(make_run("good", edit=unjudged)).text("")
    assert "Nothing was judged against a binding limit" in text
    assert "Worst margin" not in text


def test_a_run_that_did_not_end_has_no_verdict(make_run):
    page = _page(make_run("good", edit=_drop(RunFinished)))
    assert (
        "incomplete The run did not end: its journal has no final record. There is no verdict."
        in page.text("")
    )
    assert "Ended did not end" in page.text("")
    assert '<span class="word">pass' not in page.html


def test_a_run_that_ended_early_says_why(make_run):
    def early(record):
        return (
            dataclasses.replace(record, ended="stopped by SIGTERM")
            if isinstance(record, RunFinished)
            else record
        )

    assert "The run ended early: stopped by SIGTERM." in _page(make_run("good", edit=early)).text("")


def test_a_run_that_claims_better_than_its_rows_is_found_out(make_run):
    def claim(record):
        return dataclasses.replace(record, verdict="pass") if isinstance(record, RunFinished) else record

    text = _page(make_run("failing", edit=claim)).text("")
    assert "The run states “pass”, but its rows hold a worse verdict: fail." in text


def test_simulated_is_marked_on_screen_and_on_every_printed_page(page_of, make_run):
    simulated, real = page_of("good"), _page(make_run("good", simulated=False))
    assert "SIMULATED These results come from a simulated bench" in simulated.text("")
    assert '<div class="watermark"' in simulated.html
    assert '@top-center { content: "SIMULATED"' in simulated.html
    assert "SIMULATED - PASS" in simulated.html
    assert "Seed 4711" in simulated.text("Traceability")
    assert "SIMULATED" not in real.html
    assert '<div class="watermark"' not in real.html


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "R-1: not calibrated on this bench"),
        ({"fault": "calibrate it anew"}, "R-1: calibrate it anew"),
        (
            {"calibrated": "2026-08-01", "due": "2027-02-01", "record": "r.json", "record_sha256": "ab" * 32},
            "R-1: calibrated 2026-08-01, due 2027-02-01 ( r.json SHA-256 abababababab )",
        ),
    ],
    ids=["uncalibrated", "faulty", "calibrated"],
)
def test_the_reference_transmitter_and_its_calibration_are_named(make_run, known, expected):
    who = {"vendor": "LANEWISE", "model": "REF", "serial": "R-1", "firmware": "1.0"}
    page = _page(make_run("good", reference={**who, **known}))
    assert expected in page.text("Test system")


def test_an_output_that_was_left_on_is_reported_loudly(make_run):
    left_on = SafeState(
        "2026-08-17T19:40:02Z", "reference_tx", "transmitters disabled", "no answer", safe=False
    )
    page = _page(make_run("good", extra=(left_on,)))
    assert list(page.sections)[1] == "BENCH NOT SAFE"
    assert "reference_tx : transmitters disabled: no answer" in page.text("BENCH NOT SAFE")
    assert "NOT SAFE" in page.text("Proof of the safe state")


def test_an_output_made_safe_later_is_safe(make_run):
    tried = [
        SafeState("2026-08-17T19:40:02Z", "laser", "off", text, safe)
        for text, safe in (("no answer", False), ("0 mA", True))
    ]
    assert "BENCH NOT SAFE" not in _page(make_run("good", extra=tuple(tried))).sections


def test_a_run_without_safe_state_proof_says_so(make_run):
    page = _page(make_run("good", edit=_drop(SafeState)))
    assert "NO PROOF OF A SAFE BENCH" in page.sections
    assert "no proof that the bench was made safe" in page.text("Proof of the safe state")


def test_each_parameter_states_its_limit_with_source_grade_force_and_layer(page_of):
    text = page_of("good").text("Average launch power")
    assert "Judged against −2.9 to 4 dBm; plane TP2; pattern: PRBS31Q." in text
    assert "necessary binding: outside, a module cannot comply" in text
    assert "A two or more independent sources" in text
    assert "Table 124-6" in text
    assert "standard" in text


def test_a_table_holds_every_corner_with_value_uncertainty_and_margin(make_run):
    run = make_run("good")
    row = next(m for m in run.measurements if m.parameter == "average_launch_power")
    text = _page(run).text("Average launch power")
    assert f"{row.value:.2f} ± 0.21 P margin +{row.margin:.2f}" in text
    assert text.count("margin +") == 36


def test_bring_up_steps_show_elapsed_against_allowed(page_of):
    text = page_of("good").text("Bring-up of the module")
    assert "ModuleReady reached done 3.86 s 10 s 39 %" in text


def test_a_failed_bring_up_names_step_register_and_finding(make_run):
    step = {
        "name": "ModuleReady reached",
        "passed": False,
        "elapsed_s": 12.0,
        "allowed_s": 10.0,
        "lanes": None,
        "register": "00h:3",
        "expected": "3",
        "found": "5",
        "explanation": "module reports a fault",
    }

    def stopped(record):
        if isinstance(record, BringUp):
            return dataclasses.replace(
                record, ok=False, stopped_by="ModuleReady reached", steps=[step, {"name": 3}]
            )
        return record

    text = _page(make_run("good", edit=stopped)).text("Bring-up of the module")
    assert "Stopped by: ModuleReady reached" in text
    assert "FAILED 12 s 10 s 120 % register 00h:3; expected 3, found 5; module reports a fault" in text


def test_instruments_paths_and_budget_are_listed(page_of):
    page = page_of("good")
    system = page.text("Test system")
    assert "VIAVI mOPM-C1 SIM0001 2.13 certificate C-20441, of 2026-02-11, due 2027-02-11" in system
    assert "5 drivers of this bench were tested against the simulation" in system
    assert "keysight_e36312a TCPIP0" in system
    assert "viavi_map_switch †" in system
    assert "module.tx2 power_meter.2" in system
    assert "1.45 dB 0.12 dB" in system
    budget = page.text("Measurement uncertainty")
    assert "power meter, absolute 0.080 dB certificate C-20441" in budget
    assert "Root of the sum of squares 0.10 dB" in budget
    assert "average launch power 0.21 dB" in budget


def test_contributions_of_different_units_are_not_added(make_run):
    def mixed(record):
        if isinstance(record, Acquisition) and record.budget:
            other = {"name": "sensor", "standard_uncertainty": 0.1, "unit": "K", "source": "certificate"}
            return dataclasses.replace(record, budget=[*record.budget, other])
        return record

    assert "sum of squares" not in _page(make_run("good", edit=mixed)).text("Measurement uncertainty")


def test_the_report_is_honest_about_its_limits(page_of):
    text = page_of("good").text("About the limits")
    assert "They were not read in the licensed text of the standard." in text
    assert "temperature monitor error (B, normative)" in text
    assert "Not measured in this run, though the limit set has a binding limit for it:" in text
    assert "TDECQ" in text


def test_a_pass_says_beside_the_verdict_what_it_says_nothing_of(page_of, make_run):
    note = re.compile(r"says nothing of them: (.*?) \((\d+) of (\d+) limited parameters\)\.")
    found = note.search(page_of("good").html.split("Decision rule")[0])
    named = found[1]
    assert ", TDECQ," in named
    assert "Receiver sensitivity OMAouter" not in found[1]  # informative: no module fails by it
    assert "Average launch power," not in named
    binding = {row.parameter for row in limits_of_pmd("400GBASE-DR4").rows if row.force.binds}
    measured = {row.parameter for row in make_run("good").measurements}
    assert (int(found[2]), int(found[3])) == (len(binding - measured), len(binding))
    assert not note.search(page_of("failing").html)


def _walk(**data):
    return Acquisition(
        "a00002", "lane_walk", 1, "2026-08-17T14:23:09Z", 60.0, 2.0, 1, 0.0, 3.135, {}, data, []
    )


def test_the_walk_over_the_lanes_is_shown_with_its_remarks(make_run):
    walk = _walk(
        port={"1": "power_meter.1", "2": "power_meter.2"},
        disabled=[[], [1], [1, 2]],
        meter_w={"1": [1e-3, 1e-3, 1e-6], "2": [5e-4, 1e-6, 0.0]},
        remarks=["lane 1 arrives at power_meter.2"],
    )
    text = _page(make_run("good", extra=(walk,))).text("Test system")
    assert "Lane 1, power_meter.1 Lane 2, power_meter.2" in text
    assert "all on 0.0 dBm \u22123.0 dBm" in text
    assert "off: 1 0.0 dBm \u221230.0 dBm" in text
    assert "off: 1, 2 \u221230.0 dBm none" in text
    assert "lane 1 arrives at power_meter.2" in text
    assert "arrives at its own port" not in text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"port": 3, "disabled": "x", "meter_w": [], "remarks": 7},
        {"port": {"1": None}, "disabled": [None, {}], "meter_w": {"1": ["x", True, 3]}, "remarks": [{}]},
        {
            "port": {"<b>": "<i>"},
            "disabled": [[1]] * 3,
            "meter_w": {"<b>": [1e300, -1]},
            "remarks": ["<u>"],
        },
    ],
)
def test_a_walk_that_says_nothing_sensible_still_makes_a_report(make_run, data):
    page = _page(make_run("good", extra=(_walk(**data),)))
    assert "Lanes and ports" in page.text("Test system")
    assert not {"i", "u"} & {tag for tag, _ in page.tags}


def test_waivers_and_repeats_are_listed_and_the_worst_attempt_shown(make_run):
    def waived(record):
        if isinstance(record, Measurement) and record.parameter == "bring_up_time":
            return dataclasses.replace(record, waiver="W-12, A. Tester, until 2026-12-31")
        return record

    first = next(m for m in make_run("good").measurements if m.parameter == "average_launch_power")
    again = dataclasses.replace(first, value=-2.8, margin=0.1, verdict="conditional_pass", attempt=2)
    page = _page(make_run("good", edit=waived, extra=(again,)))
    text = page.text("Skipped and invalid items, waivers and repeats")
    assert "W-12, A. Tester, until 2026-12-31 (1 measurement)" in text
    assert "Average launch power, lane 1, 0 °C, 3.135 V: 2 attempts" in text
    assert "−2.80 ± 0.21 CP margin +0.10 worst of 2 attempts" in page.text("Average launch power")


def test_skipped_items_are_grouped_by_reason(make_run):
    skips = tuple(
        Skipped("2026-08-17T19:38:00Z", f"plan.py::test_oma[{n}]", "this bench has no oscilloscope")
        for n in range(30)
    )
    text = _page(make_run("good", extra=skips)).text("Skipped and invalid items, waivers and repeats")
    assert text.count("this bench has no oscilloscope") == 1
    assert "31 items:" in text
    assert "and 19 more" in text


def test_traceability(make_run):
    run = make_run("good")
    text = _page(run).text("Traceability")
    for wanted in (run.manifest.git_commit, "9b" * 32, "a7" * 32, "5d" * 32, "5 h 17 min", "python 3.11.2"):
        assert wanted in text
    assert "raw/a01-power.csv" in text
    assert "unfinished" not in text


def test_a_torn_journal_and_unknown_records_are_noted(make_run):
    run = make_run("good", extra=(UnknownRecord({"type": "eye_diagram", "lane": 1}),))
    with (run.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"seq":')
    text = _page(run).text("Traceability")
    assert "The journal's last line is unfinished." in text
    assert "1 record of a type that this version does not know was kept" in text


def test_the_documents_are_made_again_byte_for_byte(make_run):
    run = make_run("failing")
    paths = [write_measurements(run), write_report(run)]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    (run.path / "engineer.html").write_text("made later", encoding="utf-8")
    again = type(run)(run.path)
    assert [write_measurements(again).read_bytes(), write_report(again).read_bytes()] == before
    assert not list(run.path.glob(".*"))


EVIL = "<script>alert(1)</script>\"'></style><img src=x onerror=alert(1)>\u202e\x1b{{7*7}}"


def test_foreign_text_is_shown_and_harms_nothing(make_run):
    def poison(record):
        changes = {
            field.name: EVIL
            for field in dataclasses.fields(record)
            if isinstance(getattr(record, field.name), str)
            and field.name not in {"parameter", "kind", "manifest_sha256"}
        }
        if isinstance(record, Measurement):
            changes["conditions"] = {EVIL: EVIL}
        if isinstance(record, Acquisition):
            changes["budget"] = [{"name": EVIL, "standard_uncertainty": EVIL, "unit": EVIL, "source": [EVIL]}]
        if isinstance(record, BringUp):
            changes["steps"] = [{"name": EVIL, "register": EVIL, "found": {EVIL: EVIL}, "lanes": EVIL}]
        return dataclasses.replace(record, **changes)

    instrument = InstrumentEntry(*[EVIL] * 7, False, EVIL, {EVIL: EVIL})
    fault = Invalid(EVIL, EVIL, EVIL)
    run = make_run(
        "failing",
        edit=poison,
        extra=(fault,),
        run_id=EVIL,
        module={"vendor": EVIL, EVIL: EVIL},
        instruments=[instrument],
        decision_rule_text=EVIL,
        simulation={EVIL: EVIL},
        software={EVIL: EVIL},
        bench=EVIL,
        corners=[{EVIL: EVIL}],
    )
    page = _page(run)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "object", "link", "base"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.html.count("</style>") == 1 + page.html.count("<svg")
    assert "\u202e" not in page.html
    assert "\x1b" not in page.html
    assert "49" not in re.findall(r"\\x1b(.{2})", page.html)
    assert "\\u202e\\x1b{{7*7}}" in page.text("Module")


def test_the_page_asks_for_nothing_outside_itself(page_of):
    page = page_of("failing")
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "action", "data"}
    ]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "@import" not in page.html
    assert not re.search(r"url\((?!#)", page.html)
    assert "default-src 'none'" in json.dumps([a for t, a in page.tags if t == "meta"])


def test_links_within_the_page_have_targets(page_of):
    page = page_of("invalid")
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= ids


def test_an_empty_run_still_gives_a_report(make_run):
    page = _page(
        make_run(
            "good",
            edit=_drop(Measurement, BringUp, Acquisition, SafeState, Skipped, RunFinished),
            module={},
            instruments=[],
            paths=[],
            limits=[],
            corners=[],
        )
    )
    assert "There is no verdict" in page.text()
    assert "module of unknown identity" in page.text("")
