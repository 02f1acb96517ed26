"""Profiles: what a simulated module is, read from TOML. One file per section or group of sections."""

from harness.simulation.module.profile.loading import FOLDER, ProfileError, load_profile, profile_names
from harness.simulation.module.profile.profile import Profile

__all__ = ["FOLDER", "Profile", "ProfileError", "load_profile", "profile_names"]
