"""The synthesis report: resources, latency and mismatches, each with its unit and its tool."""
