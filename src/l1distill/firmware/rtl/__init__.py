"""Verilog through alkaid, its simulation, and its resources from yosys."""
