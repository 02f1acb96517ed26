"""Receiver and reach: what the module makes of light whose OMAouter at TP3 is known."""
