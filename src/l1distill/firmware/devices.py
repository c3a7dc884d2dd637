"""FPGA devices: resources and clock of a target, one file each in ``conf/firmware/device``."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings


class Device(Settings):
    """An FPGA with its resources, and the clock that the trigger runs at."""

    name: str = Field(min_length=1)
    """Common name, such as ``VU9P``."""
    part: str = Field(min_length=1)
    """The vendor's part number, for constraints, scripts and vendor tools."""
    family: Literal["xcup", "xcu", "xc7"]
    """The architecture as yosys names it: UltraScale+, UltraScale, 7 series."""
    clock_mhz: float = Field(gt=0)
    """Clock frequency [MHz]."""
    luts: int = Field(gt=0)
    """Number of LUTs."""
    ffs: int = Field(gt=0)
    """Number of flip-flops."""
    dsps: int = Field(gt=0)
    """Number of DSP slices."""
    bram_18k: int = Field(gt=0)
    """Number of block RAMs of 18 Kibit; a tile of 36 Kibit counts as two."""

    @property
    def clock_period_ns(self) -> float:
        """The clock period [ns]."""
        return 1000.0 / self.clock_mhz


VU9P = Device(
    name="VU9P",
    part="xcvu9p-flgb2104-2-e",
    family="xcup",
    clock_mhz=200.0,
    luts=1_182_240,
    ffs=2_364_480,
    dsps=6_840,
    bram_18k=4_320,
)
"""The device of Govorkova et al. (arXiv:2108.03986), and the default."""
