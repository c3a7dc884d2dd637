"""What a user chooses about the synthesis; mirrors ``conf/firmware/default.yaml``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from l1distill.firmware.devices import Device
from l1distill.settings import Settings


class FirmwareSettings(Settings):
    """Target, pipelining, how much is verified, and the bounds set to the tools."""

    device: Device
    latency_cutoff_ns: float = Field(default=3.5, gt=0)
    """Budget of estimated delay for a pipeline stage [ns].

    alkaid counts an operation that crosses a cut whole in the later stage, so a stage may exceed
    it; ``firmware/critical_delay_ns`` says by how much, before retiming.
    """
    verification_events: int = Field(default=10_000, ge=1)
    """How many events each back end must reproduce bit for bit: those of the data set, and where
    they are fewer, random ones from the inputs' whole range."""
    adversarial_events: int = Field(default=2000, ge=0)
    """Most events beside them that are made to meet corners, roundings and saturations."""
    rtl_simulator: Literal["auto", "verilator", "iverilog", "none"] = "auto"
    """Simulates the written Verilog; ``auto`` takes the first of the two that is there."""
    rtl_simulation_events: int = Field(default=10_000, ge=1)
    """How many of the events the RTL simulator replays, beside the adversarial ones."""
    vendor_tools: Literal["auto", "never"] = "auto"
    """``auto`` runs Vitis or Vivado HLS where it is on the PATH."""
    hls_time_limit_s: float = Field(default=300.0, gt=0)
    """Compiling and running the C simulation, and the emulator in C++."""
    yosys_time_limit_s: float = Field(default=900.0, gt=0)
    yosys_memory_limit_gib: float = Field(default=4.0, gt=0)
    rtl_simulation_time_limit_s: float = Field(default=300.0, gt=0)
    vendor_time_limit_s: float = Field(default=14400.0, gt=0)


class PrecisionSettings(Settings):
    """What a model in floating point is rounded to; mirrors ``conf/synthesize.yaml``."""

    bits: int = Field(default=8, ge=2, le=16)
    """Of every weight, bias and activation."""
    calibration: Path | None = None
    """A file of events that ranges are chosen on."""
    input_range: float = Field(default=4.0, gt=0)
    """Without such a file, and without events to verify on: inputs are anywhere in +- this."""
