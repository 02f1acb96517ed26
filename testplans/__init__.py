"""Test plans and their limits."""
