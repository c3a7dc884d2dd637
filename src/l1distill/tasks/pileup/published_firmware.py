"""The published firmware that a student of particles stands beside."""

from l1distill.registry.card import FirmwareFigures, PublishedFirmware

QDISTILLNET = PublishedFirmware(
    rows=(
        FirmwareFigures(
            network="QDistillNet",
            device="VU13P",
            latency_ns=25.0,
            ii_ns=1000.0 / 240.0,
            percent={"lut": 0.2, "ff": 0.01, "dsp": 0.05, "bram": 0.02},
            source="Bal et al. 2024, table 3",
        ),
    ),
    note=(
        "Published: 16-64-32-1, 8 bits, 75% sparse, at 240 MHz; 2,379 LUT, 441 FF, 6 DSP and 1 "
        "BRAM by Vivado's estimate, the sigmoid a table in BRAM. Ours ends in a line cut off at 0 "
        "and 1, exactly as it is trained; LUTs are yosys' primitives, an upper bound."
    ),
)
"""Table 3 of Bal et al. 2024; its percentages are those printed."""
