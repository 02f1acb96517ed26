"""The simulated module: a register-level model of a CMIS module and of the board it is plugged into.

:mod:`.building` makes one of a profile; :mod:`.simulated_module` connects the parts of one that lives,
:mod:`.stored_module` is one that stands still. The parts, each of which imports only those above it:

* ``profile``: what the module is, from TOML;
* ``interface``: its registers and the two-wire bus;
* ``machines``: module and data path states, and how data paths are configured;
* ``lanes``: light and bits;
* ``body``: supply, temperature, consumption;
* ``monitoring``: monitors, VDM, diagnostics, conditions of flags;
* ``commands``: CDB, firmware, passwords;
* ``contents``: what the memory holds at the start.
"""
