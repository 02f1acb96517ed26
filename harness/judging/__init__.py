"""Limits, uncertainty, and the verdict they give on a measured value."""
