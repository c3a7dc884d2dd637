"""The firmware's emulator, in Python and as C++ sources."""
