"""The simulated module that a profile describes: one that lives, or one that is stored bytes."""

from __future__ import annotations

from typing import TypeAlias

from harness.simulation.module.profile import Profile
from harness.simulation.module.simulated_module import SimulatedModule
from harness.simulation.module.stored_module import StoredModule
from harness.simulation.ports import HostSurroundings, ModuleSurroundings
from harness.simulation.world import World

AnyModule: TypeAlias = SimulatedModule | StoredModule


def build_module(
    world: World,
    profile: Profile,
    surroundings: ModuleSurroundings,
    *,
    host: HostSurroundings | None = None,
    name: str = "module",
    specimen: int = 0,
    looks_when_asked: bool = False,
) -> AnyModule:
    """A module of this profile; arguments as of
    :class:`harness.simulation.module.simulated_module.SimulatedModule`."""
    if profile.memory.stands_still:  # and looks at nothing
        return StoredModule(world, profile, surroundings, host=host, name=name, specimen=specimen)
    return SimulatedModule(
        world,
        profile,
        surroundings,
        host=host,
        name=name,
        specimen=specimen,
        looks_when_asked=looks_when_asked,
    )
