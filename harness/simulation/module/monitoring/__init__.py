"""What a simulated module measures and reports: monitors, VDM, diagnostics, conditions of flags."""
