"""CDB commands of a simulated module for its firmware (OIF-CMIS-05.4 §9)."""

from __future__ import annotations

from collections.abc import Callable

from drivers.cmis.image import HALF
from drivers.cmis.pages.cdb import LPL_BYTES
from harness.simulation.module.commands.advertising import COPY_S
from harness.simulation.module.commands.firmware import (
    ERASED_BYTE,
    HEADER_BYTES,
    FirmwareStore,
    RefusedError,
    Result,
)
from harness.simulation.module.commands.message import (
    LARGEST_U16,
    START,
    Command,
    Finish,
    Message,
    Reply,
    ms_field,
)
from harness.simulation.module.profile.cdb import CdbProfile
from harness.simulation.world import Event, World, ns_from_s

_ABORT_S = 0.5
_LONGEST_BLOCK = LPL_BYTES - 4


class FirmwareCommands:
    """Download, copy, run and commit of one module's images.

    ``share(command)``: part of its limit that a command takes now; ``reset()`` resets the module.
    """

    def __init__(
        self,
        world: World,
        profile: CdbProfile,
        firmware: FirmwareStore,
        *,
        share: Callable[[int], float],
        reset: Callable[[], None],
    ) -> None:
        self._world = world
        self._profile = profile
        self._firmware = firmware
        self._share = share
        self._reset = reset
        self._run_event: Event | None = None
        self._boot_bank: str | None = None

    def restart(self) -> None:
        """Reset, or the supply came or went: the firmware boots anew."""
        self._forget_run()
        bank, self._boot_bank = self._boot_bank, None
        self._firmware.boot(bank)

    def table(self) -> dict[int, Command]:
        """By their numbers, those that this module has."""
        profile = self._profile
        short_s, write_s = profile.max_busy_s, profile.write_max_s
        table = {
            0x0041: Command(self._firmware_features, short_s),
            0x0100: Command(self._firmware_info, short_s),
            START: Command(self._start, profile.start_max_s, 8, guarded=True),
            0x0103: Command(self._write_lpl, write_s, 5, guarded=True),
            0x0107: Command(self._complete, profile.complete_max_s, guarded=True),
            0x0109: Command(self._run, short_s, 4, guarded=True),
            0x010A: Command(self._commit, short_s, guarded=True),
        }
        if profile.abort_supported:
            table[0x0102] = Command(self._abort_download, _ABORT_S, guarded=True)
        if profile.epl_pages:
            table[0x0104] = Command(self._write_epl, write_s, 4, guarded=True)
        if profile.readback_supported:
            table[0x0105] = Command(self._read_lpl, short_s, 6, guarded=True)
            if profile.epl_pages:
                table[0x0106] = Command(self._read_epl, short_s, 6, guarded=True)
        if self._copies:
            table[0x0108] = Command(self._copy, COPY_S, 1, guarded=True)
        return table

    @property
    def _copies(self) -> bool:
        return self._profile.copy_supported and self._profile.banks == 2

    def _firmware_features(self, message: Message) -> Finish:
        profile = self._profile
        durations_s = (
            profile.start_max_s,
            _ABORT_S if profile.abort_supported else 0.0,
            profile.write_max_s,
            profile.complete_max_s,
            COPY_S if self._copies else 0.0,
        )
        coarse = any(duration_s * 1e3 > LARGEST_U16 for duration_s in durations_s)
        features = (
            profile.readback_supported << 7
            | coarse << 3
            | profile.skips_erased << 2
            | self._copies << 1
            | profile.abort_supported
        )
        both = 0x11 if profile.epl_pages else 0x01
        head = bytes(
            (
                0,
                features,
                HEADER_BYTES,
                ERASED_BYTE,
                profile.length_extension,
                both,
                both if profile.readback_supported else 0,
                0,  # no hitless restart
            )
        )
        body = head + b"".join(ms_field(duration_s, 10 if coarse else 1) for duration_s in durations_s)
        return lambda: Reply(body)

    def _firmware_info(self, message: Message) -> Finish:
        return lambda: Reply(self._firmware.information())

    def _start(self, message: Message) -> Finish:
        if len(message.lpl) != 8 + HEADER_BYTES:
            raise RefusedError(Result.PARAMETER)
        download = self._firmware.start(message.u32(0), message.lpl[8:])
        if self._profile.start_returns_early:
            erasing_s = self._profile.start_max_s * self._share(START)
            download.writable_from_ns = self._world.now_ns + ns_from_s(erasing_s)

        def finish() -> Reply:
            self._firmware.begin_writing(download)
            return Reply()

        return finish

    def _abort_download(self, message: Message) -> Finish:
        self._firmware.abort()
        return Reply

    def _write_lpl(self, message: Message) -> Finish:
        return self._write(message, message.lpl[4:])

    def _write_epl(self, message: Message) -> Finish:
        return self._write(message, message.epl)

    def _write(self, message: Message, block: bytes) -> Finish:
        address = message.u32(0)
        download = self._firmware.check_block(address, len(block), self._world.now_ns)
        bad = self._profile.bad_flash_address

        def finish() -> Reply:
            if address <= bad < address + len(block):
                raise RefusedError(Result.EXECUTION)
            download.body[address : address + len(block)] = block
            download.received[address : address + len(block)] = b"\1" * len(block)
            return Reply()

        return finish

    def _read_lpl(self, message: Message) -> Finish:
        length = int.from_bytes(message.lpl[4:6])
        if length > _LONGEST_BLOCK:
            raise RefusedError(Result.PARAMETER)
        block = self._firmware.read_back(message.u32(0), length)
        return lambda: Reply(message.lpl[:4] + block)

    def _read_epl(self, message: Message) -> Finish:
        length = int.from_bytes(message.lpl[4:6])
        if length > self._profile.epl_pages * HALF:
            raise RefusedError(Result.PARAMETER)
        block = self._firmware.read_back(message.u32(0), length)
        return lambda: Reply(epl=block)

    def _complete(self, message: Message) -> Finish:
        def finish() -> Reply:
            self._firmware.complete()
            return Reply()

        if self._firmware.download is None:
            raise RefusedError(Result.NOT_NOW)
        return finish

    def _copy(self, message: Message) -> Finish:
        direction = message.lpl[0]
        source, target = self._firmware.copied(direction)

        def finish() -> Reply:
            target.header, target.body, target.valid, target.spoilt = source.header, source.body, True, False
            return Reply(len(source.body).to_bytes(4) + bytes([direction, 0]))

        return finish

    def _run(self, message: Message) -> Finish:
        bank = self._firmware.bank_to_run(message.lpl[1])
        delay_s = int.from_bytes(message.lpl[2:4]) * 1e-3

        def restart() -> None:
            self._boot_bank = bank
            self._reset()

        def finish() -> Reply:
            self._forget_run()  # of several Run commands the last counts [?]
            self._run_event = self._world.after(delay_s, restart)
            return Reply()

        return finish

    def _forget_run(self) -> None:
        if self._run_event is not None:
            self._run_event.cancel()
        self._run_event = None

    def _commit(self, message: Message) -> Finish:
        def finish() -> Reply:
            self._firmware.commit()
            return Reply()

        return finish
