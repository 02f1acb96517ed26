"""Command Data Block of a CMIS module: messages, features, passwords and firmware (OIF-CMIS-05.4 §5.3, §9).

Names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.lazy import exports

if TYPE_CHECKING:
    from drivers.cmis.cdb.advertisement import (
        CdbAdvertisement,
        read_advertisement,
    )
    from drivers.cmis.cdb.commands import (
        COMMANDS,
        Command,
    )
    from drivers.cmis.cdb.features import (
        FirmwareFeatures,
        ModuleFeatures,
        read_features,
        read_firmware_features,
    )
    from drivers.cmis.cdb.firmware import (
        FirmwareProgress,
        FirmwareUpdateResult,
        abort_download,
        commit_image,
        copy_image,
        run_image,
        update_firmware,
    )
    from drivers.cmis.cdb.firmware_info import (
        FirmwareImage,
        FirmwareInfo,
        FirmwareRevisions,
        read_firmware_info,
        read_firmware_revisions,
    )
    from drivers.cmis.cdb.message import (
        build_message,
        check_code,
        parse_message,
    )
    from drivers.cmis.cdb.secret import (
        Secret,
    )
    from drivers.cmis.cdb.session import (
        CdbReply,
        CdbSession,
    )
    from drivers.cmis.cdb.status import (
        CdbStatus,
    )

_HOMES = {
    "advertisement": (
        "CdbAdvertisement",
        "read_advertisement",
    ),
    "commands": (
        "COMMANDS",
        "Command",
    ),
    "features": (
        "FirmwareFeatures",
        "ModuleFeatures",
        "read_features",
        "read_firmware_features",
    ),
    "firmware": (
        "FirmwareProgress",
        "FirmwareUpdateResult",
        "abort_download",
        "commit_image",
        "copy_image",
        "run_image",
        "update_firmware",
    ),
    "firmware_info": (
        "FirmwareImage",
        "FirmwareInfo",
        "FirmwareRevisions",
        "read_firmware_info",
        "read_firmware_revisions",
    ),
    "message": (
        "build_message",
        "check_code",
        "parse_message",
    ),
    "secret": ("Secret",),
    "session": (
        "CdbReply",
        "CdbSession",
    ),
    "status": ("CdbStatus",),
}

__all__ = [
    "COMMANDS",
    "CdbAdvertisement",
    "CdbReply",
    "CdbSession",
    "CdbStatus",
    "Command",
    "FirmwareFeatures",
    "FirmwareImage",
    "FirmwareInfo",
    "FirmwareProgress",
    "FirmwareRevisions",
    "FirmwareUpdateResult",
    "ModuleFeatures",
    "Secret",
    "abort_download",
    "build_message",
    "check_code",
    "commit_image",
    "copy_image",
    "parse_message",
    "read_advertisement",
    "read_features",
    "read_firmware_features",
    "read_firmware_info",
    "read_firmware_revisions",
    "run_image",
    "update_firmware",
]

__getattr__ = exports(__name__, _HOMES)
