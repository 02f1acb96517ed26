"""Simulated modules served on a socket, for hosts in any language: see ``docs/simulated-module.md``."""
