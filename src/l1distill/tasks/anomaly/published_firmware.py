"""Published tables of firmware, as they are printed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from l1distill.registry.card import FirmwareFigures, PublishedFirmware


class Published(NamedTuple):
    """A row of a table.

    Attributes:
        model: what the row is called.
        device: its name in ``conf/firmware/device/``.
        network: what a teacher in fixed point is known by: architecture, method and bits; None
            where the row is another network.
        shape: parameters of a run that say that it is this network; where it is no teacher.
        percent: of the device, by resource [%].
        counts: absolute numbers by resource, where the table has them.
        latency_ns: as printed [ns].
        ii: initiation interval, in the table's unit.
        behind: what is computed behind the network.
    """

    model: str
    device: str
    network: tuple[str, str, int] | None
    shape: Mapping[str, str]
    percent: Mapping[str, float]
    counts: Mapping[str, int]
    latency_ns: float
    ii: float
    behind: str

    @property
    def key(self) -> str:
        """What no other row is called."""
        return f"{self.model}, {self.device}"


_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_COUNTS: Mapping[str, int] = MappingProxyType({})


def _teacher(
    architecture: str,
    method: str,
    bits: int,
    device: str,
    percent: tuple[float, float, float, float],
    latency_ns: float,
    ii_ns: float,
) -> Published:
    """Makes a row of Govorkova et al.; ``percent`` in the table's order."""
    return Published(
        model=f"{architecture.replace('_', ' ').upper()} {method.upper()} {bits} bits",
        device=device,
        network=(architecture, method, bits),
        shape=_NOTHING,
        percent=dict(zip(("dsp", "lut", "ff", "bram"), percent, strict=True)),
        counts=_NO_COUNTS,
        latency_ns=latency_ns,
        ii=ii_ns,
        behind="D_KL" if architecture.endswith("vae") else "input-output MSE",
    )


TABLE_III = (
    _teacher("dnn_ae", "qat", 8, "VU9P", (2, 5, 1, 0.5), 130, 5),
    _teacher("cnn_ae", "qat", 4, "VU9P", (8, 47, 5, 6), 1480, 895),
    _teacher("dnn_vae", "ptq", 8, "VU9P", (1, 3, 0.5, 0.3), 80, 5),
    _teacher("cnn_vae", "ptq", 8, "VU9P", (10, 12, 4, 2), 365, 115),
)
"""Govorkova et al., arXiv:2108.03986, table III; II in ns."""
TABLE_IV = (_teacher("dnn_vae", "ptq", 8, "V7-690T", (3, 9, 3, 0.4), 205, 5),)
"""Table IV. Its caption says DNN AE; its row, and section VII, DNN VAE."""
DISTILLNET = Published(
    model="QDistillNet",
    device="VU13P",
    network=None,
    shape={
        "shape.name": "qdistillnet",
        "shape.inputs": "16",
        "shape.layers": "[64, 32]",
        "shape.outputs": "1",
        "shape.weight_bits": "8",
        "shape.activation_bits": "8",
        "shape.sparsity": "0.75",
    },
    percent={"bram": 0.02, "lut": 0.2, "ff": 0.01, "dsp": 0.05},
    counts={"bram": 1, "lut": 2379, "ff": 441, "dsp": 6},
    latency_ns=25,
    ii=1,
    behind="sigmoid, a table in BRAM",
)
"""Bal et al. 2024, table 3; II in clock cycles."""
DISTILLNET_ACCURACY = "97.7%"

WHY_OURS_DIFFER = (
    "Theirs is hls4ml with Vivado HLS: products in DSPs, layers that may share them (reuse), "
    "memories in BRAM, and estimates of the HLS schedule. Ours is one fully unrolled pipeline with "
    "an II of 1 (alkaid): products with constants become adders in LUTs, a zero or a power of two "
    "costs nothing, so no DSP but for squares and no BRAM. LUTs are yosys' primitives, an upper "
    "bound: small ones are not packed in pairs. Both have been neither placed nor routed here."
)
DELAYS_OF_ANOTHER_FAMILY = (
    "Cycles follow alkaid's delay model, which is of UltraScale+; a Virtex-7 is slower, so that "
    "they may not close timing there."
)
UNTRAINED = (
    "Our QDistillNet has the published shape, bits and sparsity and random weights from a seed: "
    "nobody has trained it, so it has no accuracy, and trained weights may cost less or more. Its "
    "batch normalization is taken as folded into the last layer, and its sigmoid is QKeras' hard "
    "sigmoid, which needs no table."
)


def teachers_in_firmware() -> PublishedFirmware:
    """Return the rows of table III, to stand beside a student's figures."""
    rows = [
        FirmwareFigures(
            network=f"teacher {row.model}",
            device=row.device,
            latency_ns=row.latency_ns,
            ii_ns=row.ii,
            percent=row.percent,
            source="arXiv:2108.03986",
        )
        for row in TABLE_III
    ]
    return PublishedFirmware(rows=rows, note=f"Published: table III. {WHY_OURS_DIFFER}")
