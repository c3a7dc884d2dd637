"""Readers of pileup data from elsewhere."""
