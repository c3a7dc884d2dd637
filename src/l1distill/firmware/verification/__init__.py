"""Verification events, and the bit-exact comparison of each back end with the reference."""
