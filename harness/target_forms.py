"""How a module can be named on a command line; :mod:`harness.module_target` opens it."""

FORMS = (
    "a dump file, i2c:N or /dev/i2c-N, optoe:PATH of a sysfs eeprom file, sim:HOST:PORT/SLOT, "
    "a bench file or a bench's name (sim-dr4)"
)
