"""Corners: which there are, and how case temperature and supply are brought there."""
