"""The synthesis report: every figure with its unit and its tool."""
