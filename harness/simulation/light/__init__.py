"""Light itself: what a beam is, and what fibres and connectors do to it. Knows no bench and no module."""
