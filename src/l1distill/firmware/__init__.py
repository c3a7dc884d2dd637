"""From a quantized network to verified firmware: Verilog, HLS project, emulators and a report."""
