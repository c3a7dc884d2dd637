"""Pileup: particles of HL-LHC events, weighted by how much of them is of the hard collision."""
