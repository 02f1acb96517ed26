"""The bench controller: benches, wiring, limits, verdicts, records and the command line."""
