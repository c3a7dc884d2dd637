"""What alkaid says of a design, made up."""

from typing import Any

from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.verilog import RtlReport


def rtl_report(port: Port, **figures: Any) -> RtlReport:
    """A report whose buses are all alike, some of its figures others."""
    made_up: dict[str, Any] = {
        "latency_cycles": 1,
        "ii_cycles": 1,
        "register_bits": 0,
        "lut_estimate": 0.0,
        "critical_delay_ns_estimate": 0.0,
        "latency_cutoff_ns": 3.5,
        "setup_uncertainty_ns": 0.5,
        "version": "0",
    }
    buses = dict.fromkeys(("input_port", "output_port", "top_input", "top_output"), port)
    return RtlReport(**{**made_up, **buses, **figures})
