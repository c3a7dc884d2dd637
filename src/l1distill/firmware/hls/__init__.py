"""The HLS project through hls4ml, its C simulation, and vendor tools."""
