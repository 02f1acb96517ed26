"""Acquisitions of the thermal plan: what a module does on its way between temperatures and supplies."""
