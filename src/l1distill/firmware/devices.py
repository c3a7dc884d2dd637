"""The FPGAs that figures are compared with: a device is a file in ``conf/firmware/device``."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings


class Device(Settings):
    """An FPGA with what it offers, and the clock the trigger runs it at."""

    name: str = Field(min_length=1)
    """What people call it, such as ``VU9P``."""
    part: str = Field(min_length=1)
    """The vendor's part number, for constraints, scripts and vendor tools."""
    family: Literal["xcup", "xcu", "xc7"]
    """The architecture as yosys names it: UltraScale+, UltraScale, 7 series."""
    clock_mhz: float = Field(gt=0)
    luts: int = Field(gt=0)
    ffs: int = Field(gt=0)
    dsps: int = Field(gt=0)
    bram_18k: int = Field(gt=0)
    """Block RAM counted in halves of 18 Kibit; a 36 Kibit tile is two."""

    @property
    def clock_period_ns(self) -> float:
        """The clock period [ns]."""
        return 1000.0 / self.clock_mhz
