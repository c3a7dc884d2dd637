"""Events to verify with, and the comparison of two back ends, bit for bit."""
