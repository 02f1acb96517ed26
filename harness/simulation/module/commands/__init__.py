"""CDB messaging of a simulated module: its phases, its commands, firmware and passwords."""
