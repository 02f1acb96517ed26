"""The simulated SCPI instrument: headers, parameters, error queue, status, as the standards have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.scpi_tree import After, ScpiError, ScpiPeer
from harness.simulation.world import World

NONE = '+0,"No error"'


class Bench:
    """A small instrument and one client of it."""

    def __init__(self) -> None:
        self.world = World(5)
        self.peer = peer = ScpiPeer(self.world, role="p", identity="Maker,Model,S1,1.0")
        self.seen: list[object] = []
        peer.setting("SENSe#[:CHANnel#]:POWer:WAVelength[:ALL]", self._wavelength)
        peer.query("SENSe#[:CHANnel#]:POWer:WAVelength[:ALL]", lambda call: "/".join(map(str, call.suffixes)))
        peer.query("SENSe#:POWer:ATIMe", lambda _: "0.1")
        peer.setting("SENSe#:POWer:ATIMe", lambda call: self.seen.append(call.number(unit="S")))
        peer.setting(
            "PLAin", lambda call: self.seen.append(call.number(minimum=0.0, maximum=5.0, default=2.0))
        )
        peer.setting("SWITch", lambda call: self.seen.append(call.boolean()))
        peer.setting("MODE", lambda call: self.seen.append(call.choice("INTernal", "EXTernal")))
        peer.setting("ROUTe", lambda call: self.seen.append(call.channels()))
        peer.setting("TEXT", lambda call: self.seen.append(call.raw()))
        peer.setting("STARt", lambda _: self._start())
        peer.query("WAIT", lambda call: self._wait(call.number(unit="S")))
        peer.query("FAIL", self._fail)
        self.client = peer.connect(marks_end=True)

    def _wavelength(self, call):
        self.seen.append((call.suffixes, call.number(unit="M", minimum=1250e-9, maximum=1650e-9)))

    def _start(self):
        self.peer.begin_operation(2.0, lambda: self.seen.append("done"))

    def _wait(self, duration_s):
        return After(duration_s, lambda: After(duration_s, lambda: "waited twice"))

    def _fail(self, call):
        raise ScpiError(-222)

    def tell(self, message: str, wait_s: float = 0.1) -> str:
        """Send a message, let time pass, return what is there."""
        self.client.receive(message.encode("latin-1", "replace") + b"\n", end=True)
        self.world.advance(wait_s)
        return self.client.take(1 << 20, None)[0].decode("latin-1")

    def errors(self) -> list[int]:
        found = []
        while not (text := self.tell("SYST:ERR?")).startswith("+0"):
            found.append(int(text.split(",")[0]))
        return found


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize(
    ("header", "suffixes"),
    [
        ("SENS:POW:WAV?", "1/1"),
        ("sense:power:wavelength?", "1/1"),
        (":SENSe2:POWer:WAVelength:ALL?", "2/1"),
        ("SENS2:CHAN3:POW:WAV?", "2/3"),
        ("Sens2:Channel3:Pow:Wavelength?", "2/3"),
    ],
)
def test_short_and_long_forms_optional_nodes_and_suffixes(bench, header, suffixes):
    assert bench.tell(header) == suffixes + "\n"
    assert bench.errors() == []


@pytest.mark.parametrize(
    "header",
    [
        "SEN:POW:WAV?",
        "SENSE:POWE:WAV?",
        "SENS:POW?",
        "SENS:POW2:WAV?",
        "POW:WAV?",
        "SENS:POW:WAV:ANY?",
        "PLA?",
    ],
)
def test_other_forms_are_undefined_headers(bench, header):
    assert bench.tell(header) == ""
    assert bench.errors() == [-113]


@pytest.mark.parametrize("message", ["1SENS", "SENS::POW", "?", "SENS:POW:WAV??", "#15hello"])
def test_syntax_errors(bench, message):
    assert bench.tell(message) == ""
    assert bench.errors() == [-102]


def test_header_path_goes_on_after_a_semicolon(bench):
    assert bench.tell("SENS3:POW:WAV?;ATIM?") == "3/1;0.1\n"
    assert bench.tell("SENS3:POW:WAV?;*IDN?;ATIM?") == "3/1;Maker,Model,S1,1.0;0.1\n"
    assert bench.tell("SENS3:POW:WAV?;:SENS2:POW:ATIM?") == "3/1;0.1\n"
    assert bench.errors() == []
    bench.tell("SENS3:POW:WAV 1310NM;SENS2:POW:ATIM 1")
    assert bench.errors() == [-113]
    assert bench.tell("ATIM?") == ""  # and not across messages
    assert bench.errors() == [-113]


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("1310NM", 1310e-9),
        ("1.31UM", 1310e-9),
        ("1310 nm", 1310e-9),
        ("1.31E-6", 1310e-9),
        ("1310000PM", 1310e-9),
        ("MIN", 1250e-9),
        ("MAXimum", 1650e-9),
    ],
)
def test_units_default_to_metres(bench, text, metres):
    bench.tell(f"SENS:POW:WAV {text}")
    assert bench.errors() == []
    assert bench.seen == [((1, 1), pytest.approx(metres))]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("SENS:POW:WAV", -109),
        ("SENS:POW:WAV 1310", -222),
        ("SENS:POW:WAV 1310DB", -131),
        ("SENS:POW:WAV abc", -104),
        ("SENS:POW:WAV DEF", -104),
        ("PLA 1V", -138),
        ("PLA 5.1", -222),
        ("PLA 1,2", -108),
        ("SWIT 2", -224),
        ("MODE OTHER", -224),
        ("ROUT 1", -104),
        ("ROUT (@1:999999999999)", -222),
        ("FAIL?", -222),
    ],
)
def test_refusals(bench, message, code):
    assert bench.tell(message) == ""
    assert bench.errors() == [code]


def test_parameters(bench):
    bench.tell("PLA DEF;:SWIT ON;:SWIT 0;:MODE ext;:MODE INTERNAL;:ROUT (@1,3:5);:ROUT (@);:TEXT 'a;b,c'")
    assert bench.seen == [2.0, True, False, "EXT", "INT", (1, 3, 4, 5), (), "'a;b,c'"]
    assert bench.errors() == []


def test_a_command_error_ends_the_message_and_an_execution_error_does_not(bench):
    bench.tell("PLA 9;:PLA 1")
    assert bench.seen == [1.0]
    bench.tell("NONSENSE;:PLA 3")
    assert bench.seen == [1.0]
    assert bench.errors() == [-222, -113]


def test_error_queue_is_first_in_first_out_and_overflows(bench):
    for _ in range(40):
        bench.tell("PLA 9")
    bench.tell("NONSENSE")
    codes = bench.errors()
    assert codes == [-222] * 29 + [-350]
    assert bench.errors() == []


def test_all_errors_at_once_and_count(bench):
    bench.tell("PLA 9")
    bench.tell("NONSENSE")
    assert bench.tell("SYST:ERR:COUN?") == "+2\n"
    assert bench.tell("SYST:ERR:ALL?") == '-222,"Data out of range",-113,"Undefined header"\n'
    assert bench.tell("SYST:ERR:ALL?") == NONE + "\n"


def test_clear_status(bench):
    bench.tell("PLA 9")
    bench.tell("*CLS")
    assert bench.errors() == []
    assert bench.tell("*ESR?") == "+0\n"


def test_event_status_bits_are_cleared_when_read(bench):
    assert bench.tell("*ESR?") == "+128\n"  # power on
    for message, bit in (("NONSENSE", 5), ("PLA 9", 4)):
        bench.tell(message)
        assert bench.tell("*ESR?") == f"+{1 << bit}\n"
        assert bench.tell("*ESR?") == "+0\n"


def test_status_byte_summarises_enabled_events(bench):
    bench.tell("*CLS;*ESE 32;*SRE 32")
    assert bench.tell("*ESE?;*SRE?") == "+32;+32\n"
    bench.tell("NONSENSE")
    assert bench.tell("*STB?") == f"+{4 + 32 + 64}\n"


def test_operation_complete(bench):
    bench.tell("*CLS")
    bench.tell("STAR;*OPC", wait_s=1.0)
    assert bench.tell("*ESR?") == "+0\n"
    bench.world.advance(1.0)
    assert bench.seen == ["done"]
    assert bench.tell("*ESR?") == "+1\n"
    bench.tell("*OPC")
    assert bench.tell("*ESR?") == "+1\n"  # nothing under way: complete at once


def test_operation_complete_query_waits(bench):
    assert bench.tell("STAR;*OPC?", wait_s=1.9) == ""
    bench.world.advance(0.2)
    assert bench.client.take(100, None)[0] == b"1\n"


def test_clearing_the_status_cancels_operation_complete(bench):
    bench.tell("STAR;*OPC")
    bench.tell("*CLS", wait_s=5.0)
    assert bench.tell("*ESR?") == "+0\n"


def test_commands_that_take_time(bench):
    assert bench.tell("WAIT? 1S;*IDN?", wait_s=1.9) == ""
    bench.world.advance(0.2)
    assert bench.client.take(100, None)[0] == b"waited twice;Maker,Model,S1,1.0\n"


def test_interrupted_query_keeps_the_new_reply_only(bench):
    bench.client.receive(b"WAIT? 1\n*IDN?\n", end=True)
    bench.world.advance(3.0)
    assert bench.client.take(100, None)[0] == b"Maker,Model,S1,1.0\n"
    assert bench.errors() == [-410]


def test_a_message_in_pieces(bench):
    socket = bench.peer.connect(marks_end=False)
    for piece in (b"*I", b"DN", b"?", b"\r\n"):
        socket.receive(piece, end=True)
        bench.world.advance(0.01)
    assert socket.take(100, ord("\n"))[0] == b"Maker,Model,S1,1.0\n"


def test_a_message_without_end_is_refused(bench):
    socket = bench.peer.connect(marks_end=False)
    socket.receive(b"A" * 70_000, end=False)
    assert bench.errors() == [-363]


def test_what_a_client_sent_before_it_left_is_still_done(bench):
    other = bench.peer.connect(marks_end=False)
    other.receive(b"PLA 1\n*IDN?\nhalf a mess", end=False)
    other.close()
    assert bench.tell("SYST:ERR?") == NONE + "\n"
    assert bench.seen == [1.0]


def test_dead_and_garbled(bench):
    bench.peer.garble()
    garbage = bench.tell("*IDN?")
    assert garbage.endswith("\n")
    assert garbage != "Maker,Model,S1,1.0\n"
    bench.peer.garble(on=False)
    bench.peer.die_at(bench.world.now_s + 1.0)
    assert bench.tell("*IDN?", wait_s=0.5).startswith("Maker")
    assert bench.tell("WAIT? 2", wait_s=10.0) == ""
    assert bench.tell("*IDN?", wait_s=10.0) == ""


MESSAGES = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "SENS:POW:WAV",
                "?",
                " ",
                ";",
                ":",
                ",",
                "1310",
                "NM",
                "(@1:2)",
                "(@",
                '"',
                "*OPC",
                "*IDN",
                "PLA",
                "MIN",
                "1e999",
                "ROUT",
                "-",
                "\t",
            ]
        ),
        max_size=12,
    ).map("".join),
)


@given(MESSAGES)
def test_no_message_breaks_it(message):
    bench = Bench()
    bench.tell(message.replace("\n", " "), wait_s=1.0)
    bench.client.device_clear()
    assert bench.tell("*IDN?") == "Maker,Model,S1,1.0\n"


@pytest.mark.parametrize("marks_end", [False, True])
def test_a_flood_of_messages_waits_unread_and_holds_up_nobody(marks_end):
    world = World(5)
    peer = ScpiPeer(world, role="p", identity="Maker,Model,S1,1.0")
    flood, other = peer.connect(marks_end=marks_end), peer.connect(marks_end=marks_end)
    flood.receive(b"*CLS\n" * 20_000, end=True)
    assert flood.is_full
    assert not other.is_full
    assert flood.owes_reply  # whoever waits for the reply to what stands behind it must be let on
    other.receive(b"*IDN?\n", end=True)
    world.advance(0.1)
    assert other.take(100, None)[0] == b"Maker,Model,S1,1.0\n"
    flood.close()
    world.advance(0.1)
    other.receive(b"*IDN?\n", end=True)
    world.advance(0.002)
    assert other.take(100, None)[0] == b"Maker,Model,S1,1.0\n"


def test_all_of_what_is_sent_at_once_is_carried_out_in_its_order():
    bench = Bench()
    client = bench.peer.connect(marks_end=False)
    client.receive(b"".join(b"TEXT %d\n" % number for number in range(500)) + b"*IDN?\nTEX", end=False)
    bench.world.advance(1.0)
    assert bench.seen == [str(number) for number in range(500)]
    assert client.take(100, None)[0] == b"Maker,Model,S1,1.0\n"
    client.receive(b"T rest\n", end=False)
    bench.world.advance(1.0)
    assert bench.seen[-1] == "rest"
    assert not (client.is_full)
    assert not (client.owes_reply)


def test_a_device_clear_ends_a_flood():
    bench = Bench()
    bench.client.receive(b"*IDN?\n" * 1000, end=True)
    bench.client.device_clear()
    assert not (bench.client.is_full)
    assert not (bench.client.owes_reply)
    assert bench.tell("*IDN?") == "Maker,Model,S1,1.0\n"
