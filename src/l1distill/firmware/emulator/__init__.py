"""Bit-exact emulators of the firmware, in Python and as C++ sources."""
