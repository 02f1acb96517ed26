"""From a run folder to documents."""
