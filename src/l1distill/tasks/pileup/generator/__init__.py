"""Generator of whole events with pileup, particle by particle."""
