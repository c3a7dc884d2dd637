"""Anomaly detection on Level-1 trigger objects (arXiv:2107.02157, arXiv:2108.03986)."""
