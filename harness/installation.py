"""Whether the packages that run are the project's own.

Their names (``drivers``, ``reports``, ...) are common: a folder of the same name beside a user's plan would
be imported instead, and drive the bench with code nobody meant. Asked before anything of ours is imported,
so nothing of ours is imported here either.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PACKAGES = ("drivers", "reports", "fixtures", "testplans")


def shadowed() -> str | None:
    """What is wrong when a folder elsewhere shadows one of our packages, and what to do; else None."""
    home = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        place = _place_of(name)
        if place != home / name:
            return (
                f"the package {name!r} would come from {place or 'nowhere'} instead of {home / name}; "
                f"rename that folder, or start from another one"
            )
    return None


def _place_of(name: str) -> Path | None:
    """The folder (or file) that a package is, or would be, imported from."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    # A folder without __init__.py has no origin, but is imported all the same.
    folders = list(spec.submodule_search_locations or ())
    place = folders[0] if folders else spec.origin
    return Path(place).resolve() if place else None
