"""Typed folders that stages hand to each other."""
