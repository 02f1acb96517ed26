"""The run folder: journal, manifest, and their records, written and read."""
