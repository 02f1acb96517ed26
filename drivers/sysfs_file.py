"""Files of Linux's sysfs, named in a bench file: nothing else may be opened by such a name, for what is
written to a module's memory or to a pin would damage any other file."""

from __future__ import annotations

import re
from pathlib import Path

from drivers.errors import ConnectionFailedError

__all__ = ["SYSFS", "check_sysfs_path", "require_sysfs_file"]

SYSFS = Path("/sys")
"""Where sysfs is mounted."""
_PLAIN = re.compile(r"/[A-Za-z0-9_./:+,@-]{1,1000}", re.ASCII)


def check_sysfs_path(path: str) -> str:
    """The path as it was given.

    :raises ValueError: for one that is not written as a file's in sysfs; nothing is looked at.
    """
    parts = path.split("/")[1:]
    if (
        not _PLAIN.fullmatch(path)
        or any(part in ("", ".", "..") for part in parts)
        or not Path(path).is_relative_to(SYSFS)
        or Path(path) == SYSFS
    ):
        raise ValueError(f"{path!a} is no file of sysfs; write it from {SYSFS} on, without dots")
    return path


def require_sysfs_file(path: str, name: str) -> Path:
    """The file that a path leads to, by links too; ``name``: who asks.

    :raises ConnectionFailedError: when it is not there, is no plain file, or leads out of sysfs.
    """
    try:
        real = Path(path).resolve(strict=True)
        is_file = real.is_file()
    except (OSError, ValueError, RuntimeError) as fault:
        raise ConnectionFailedError(
            name,
            f"{path!a}: {getattr(fault, 'strerror', None) or fault}",
            advice="Is the driver loaded and the device instantiated, and is the path right?",
        ) from fault
    if not real.is_relative_to(SYSFS.resolve()) or not is_file:
        raise ConnectionFailedError(
            name, f"{path!a} leads to {str(real)!a}, which is no file of sysfs: nothing was opened"
        )
    return real
