"""Whether the packages that run are the project's own.

Their names (``drivers``, ``reports``, ...) are common: a folder of the same name beside a user's plan would
be imported instead, and drive the bench with code nobody meant.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from drivers.errors import BenchError

_PACKAGES = ("drivers", "reports", "fixtures", "testplans")


def check_installation() -> None:
    """Check that all our packages come from where this one does.

    :raises BenchError: when a folder elsewhere shadows one of them; names it.
    """
    home = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if origin != home / name:
            raise BenchError(
                f"the package {name!r} would come from {origin or 'nowhere'} instead of {home / name}; "
                f"rename that folder, or start from another one"
            )
