"""``report.html`` in a browser: it loads without a complaint and asks for nothing but itself."""

from __future__ import annotations

import json
import subprocess

import pytest

from reports.report import write_report


@pytest.fixture
def open_in_chromium(require_program, tmp_path):
    """Opens a page; returns its DOM, its lines on the console, and all addresses it asked for."""
    program = require_program("chromium")

    def run(path):
        profile, network = tmp_path / "profile", tmp_path / "network.json"
        done = subprocess.run(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={profile}",
                f"--log-net-log={network}",
                "--enable-logging=stderr",
                "--v=0",
                "--virtual-time-budget=5000",
                "--dump-dom",
                path.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout, console, _asked(network)

    return run


def _asked(network):
    """Addresses that the page asked for. What the browser wants for itself (updates, the time) has no origin
    as its initiator. Files beside the page are not in a net log: the page's links are checked elsewhere."""
    log = json.loads(network.read_text(encoding="utf-8"))
    requests = [event["params"] for event in log["events"] if "initiator" in event.get("params", {})]
    return {request["url"] for request in requests if request["initiator"] != "not an origin"}


def test_no_console_error_and_no_request(make_run, open_in_chromium):
    dom, console, asked = open_in_chromium(write_report(make_run("failing")))
    assert console == []
    assert "Items that did not pass outright" in dom
    assert dom.count("<svg") == 5
    assert asked == set()


def test_the_check_would_see_a_request_and_an_error(tmp_path, open_in_chromium):
    page = tmp_path / "leaky.html"
    page.write_text(
        "<img src='http://127.0.0.1:9/sentinel.png'><script>undefined_function()</script>", encoding="utf-8"
    )
    _, console, asked = open_in_chromium(page)
    assert any("undefined_function" in line for line in console)
    assert asked == {"http://127.0.0.1:9/sentinel.png"}
