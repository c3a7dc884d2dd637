"""Boosted H -> bb jets against QCD: large-radius jets, their features and constituents."""
