"""The two-wire interface under stress: long reads, many page switches, pages and banks that there are not,
writes to what is read-only, and how long the module holds off (OIF-CMIS-05.4 §5.2, §10.2, Appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from drivers.cmis import codes, information
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S
from drivers.cmis.image import HALF
from drivers.cmis.polling import advertised_limits
from drivers.cmis.ports import AccessLimits, CountsRefusals, HasLimits, ReadsPlainly
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, module_kept_up
from harness.run import Run

_ROUNDS = 25
_READS = 100
_RESERVED_PAGES = (0x0F, 0x7F)
"""Reserved in CMIS 5.4, as far as the reference tells."""
_STATIC = ((0x00, 129), (0x01, 130), (0x02, 128))
_PAUSE_S = 0.0002  # the shortest of the host's repetitions, and the transfer
_BUS_S = 0.0005


def cmis_bus(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Traffic on the bus that a host may make, and that a module must survive unchanged.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_bus")
    with module_kept_up(run):
        _reads(checks)
        _selections(checks)
        _writes(checks)
        _hold_offs(checks)
    return checks.acquired(rounds=_ROUNDS, reads=_READS)


def _reads(checks: Checks) -> None:
    module = checks.run.module
    memory = module.memory
    with checks.about("repeated_reads"):
        first = memory.read(0, 0, 129, 8)
        other = sum(memory.read(0, 0, 129, 8) != first for _ in range(_READS - 1))
        checks.say(
            "repeated_reads", not other, f"{other} of {_READS} reads of 00h:129-136 differ from the first"
        )
    with checks.about("full_page_read"):
        limits = advertised_limits(module.registers)
        if limits.read < HALF or not isinstance(memory, HasLimits):
            reason = f"reads of a whole page are not advertised ({where('FullPageReadSupported')})"
            checks.leave(reason, "full_page_read")
        else:
            short = memory.read(0, 0, HALF, HALF)
            before = memory.limits
            memory.limits = AccessLimits(read=HALF, write=before.write, cdb=before.cdb)
            try:
                whole = memory.read(0, 0, HALF, HALF)
            finally:
                memory.limits = before
            says = "are as" if whole == short else "differ from those"
            checks.say(
                "full_page_read", whole == short, f"00h:128-255 in one read {says} in reads of 8 bytes"
            )
    with checks.about("border_read"):
        if not isinstance(memory, ReadsPlainly):
            checks.leave("this way to the module cannot read across the end of lower memory", "border_read")
        else:
            lower, upper = memory.read(0, 0, 118, 4), memory.read(0, 0, HALF, 4)
            start = memory.read(0, 0, 0, 3)
            crossed = memory.read_plainly(124, 8)
            goes = {"rolls over to 0": crossed[4:7] == start, "goes on to 128": crossed[4:] == upper}
            alive = memory.read(0, 0, 118, 4) == lower
            found = [text for text, is_so in goes.items() if is_so]
            # Appendix B has the counter roll over within its half [?].
            checks.say(
                "border_read",
                alive and bool(found),
                f"a read of 8 bytes from 124 {' or '.join(found) or 'gives ' + crossed.hex(' ')}; "
                "the interface "
                f"{'answers as before' if alive else 'does not answer as before'} [uncertain: Appendix B]",
            )


def _selections(checks: Checks) -> None:
    module = checks.run.module
    memory = module.memory
    with checks.about("page_switching"):
        reference = {page: memory.read(0, page, byte, 8) for page, byte in _STATIC}
        wrong = sum(
            memory.read(0, page, byte, 8) != reference[page] for _ in range(_ROUNDS) for page, byte in _STATIC
        )
        count = _ROUNDS * len(_STATIC)
        checks.say(
            "page_switching",
            not wrong,
            f"{wrong} of {count} reads after a page switch differ (00h, 01h, 02h)",
        )
    with checks.about("unsupported_page"):
        answers = [_refusal(checks, 0, page) for page in _RESERVED_PAGES]
        checks.say(
            "unsupported_page",
            not any(answers),
            "; ".join(filter(None, answers)) or "0Fh and 7Fh fall back to 00h",
        )
    with checks.about("bank_switching", "unsupported_bank"):
        banks = codes.BANKS_BY_CODE.get(information.get_int(module.registers, "BanksSupported"), 1)
        answer = _refusal(checks, banks, 0x10)
        checks.say("unsupported_bank", not answer, answer or f"page 10h of bank {banks} falls back to 00h")
        if banks == 1:
            checks.leave("one bank is advertised (01h:142.1-0)", "bank_switching")
            return
        status = [memory.read(bank, 0x10, 145, 8) for bank in range(banks)]
        wrong = sum(
            memory.read(bank, 0x10, 145, 8) != status[bank] for _ in range(_ROUNDS) for bank in range(banks)
        )
        checks.say(
            "bank_switching",
            not wrong,
            f"{wrong} of {_ROUNDS * banks} reads of 10h:145-152 after a bank switch differ",
        )


def _refusal(checks: Checks, bank: int, page: int) -> str:
    """What is wrong with how the module takes the selection of a page that it does not have; else ""."""
    memory = checks.run.module.memory
    try:
        memory.read(bank, page, HALF, 1)
    except PageUnavailableError:
        selected = memory.read(0, 0, 127, 1)[0]
        return "" if selected == 0 else f"after page {page:02X}h bank {bank} lower:127 reads {selected:02X}h"
    return f"page {page:02X}h bank {bank}, which is not there, stays selected (lower:127)"


def _writes(checks: Checks) -> None:
    module = checks.run.module
    memory = module.memory
    with checks.about("read_only_writes"):
        changed = []
        for page, byte in ((0, 1), (0, 85), (0, 148), (0x01, 144), (0x11, 206)):
            before = memory.read(0, page, byte, 1)
            with suppress(ModuleNotRespondingError):  # to refuse it is as good
                memory.write(0, page, byte, bytes([before[0] ^ 0xFF]))
            after = memory.read(0, page, byte, 1)
            if after != before:
                changed.append(f"{page:02X}h:{byte} from {before.hex()}h to {after.hex()}h")
        checks.say(
            "read_only_writes", not changed, "; ".join(changed) or "5 read-only bytes keep what they hold"
        )
    with checks.about("write_read_back"):
        staged = memory.read(0, 0x10, 145, 8)
        wrong = 0
        try:
            for turn in range(_ROUNDS):
                data = bytes((turn * 8 + index) % 16 << 4 for index in range(8))
                memory.write(0, 0x10, 145, data)
                wrong += memory.read(0, 0x10, 145, 8) != data
        finally:
            memory.write(0, 0x10, 145, staged)
        checks.say(
            "write_read_back",
            not wrong,
            f"{wrong} of {_ROUNDS} writes of 8 bytes to 10h:145-152 read back otherwise",
        )
    with checks.about("reserved_status_bits"):
        bits = memory.read(0, 0, 3, 1)[0] >> 4
        # Reserved bits are for later revisions; modules set some, and hosts mask them.
        checks.number("reserved_status_bits", float(bits), "1", 0.0, register="lower:3.7-4")


def _hold_offs(checks: Checks) -> None:
    run = checks.run
    module = run.module
    memory = module.memory
    names = ("hold_off_after_write", "hold_off_after_page_change", "refused_share")
    with checks.about(*names):
        if not isinstance(memory, CountsRefusals):
            checks.leave("this way to the module does not tell refusals from answers", *names)
            return
        staged = memory.read(0, 0x10, 145, 1)
        memory.take_refusals()
        for _ in range(_ROUNDS):
            memory.write(0, 0x10, 145, staged)
            memory.read(0, 0x10, 145, 1)
        written = memory.take_refusals()
        for turn in range(_ROUNDS):
            memory.read(0, turn % 2, 130, 1)
        paged = memory.take_refusals()
        exponent = information.get_int(module.registers, "MaxDurationBPCExponent")
        t_bpc_s = WRITE_HOLD_OFF_S / 2**exponent
        checks.data["refusals"] = {"after_writes": str(written), "after_page_changes": str(paged)}
        checks.number(
            "hold_off_after_write",
            100.0 * written.longest_s / WRITE_HOLD_OFF_S,
            "%",
            100.0 * _PAUSE_S / WRITE_HOLD_OFF_S,
            longest_s=written.longest_s,
        )
        # The last refusal was before the module was ready, so what is known is a lower bound.
        checks.number(
            "hold_off_after_page_change",
            100.0 * paged.longest_s / t_bpc_s,
            "%",
            100.0 * _BUS_S / t_bpc_s / 10.0,
            longest_s=paged.longest_s,
            t_bpc_s=t_bpc_s,
        )
        total = written.accesses + paged.accesses
        checks.number("refused_share", 100.0 * (written.refused + paged.refused) / max(1, total), "%", 0.0)


__all__ = ["cmis_bus"]
