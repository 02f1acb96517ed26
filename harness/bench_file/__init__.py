"""The bench file: which instruments stand in which role, how they are wired, and a draft of one."""
