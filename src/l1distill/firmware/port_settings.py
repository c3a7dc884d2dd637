"""Settings of input ports in hardware units: the trigger's integers, and what is made of them."""

from collections.abc import Sequence

from pydantic import Field, model_validator

from l1distill.core.settings import Settings
from l1distill.firmware.functions.port_conversion import IntegerPort, check_number
from l1distill.firmware.results.quantity import Quantity


class PortFeature(Settings):
    """One integer of each slot of an object."""

    name: str
    """Such as ``pT``."""
    bits: int = Field(ge=1, le=24)
    """Width of the port."""
    signed: bool = False
    """Whether the highest bit is a sign."""
    unit: str = ""
    """Physical unit."""
    step: float = Field(default=1.0, gt=0)
    """Value of the integer 1 in this unit."""
    scale: float | None = Field(default=None, gt=0)
    """Physical value that is a 1 at the network's input; null for that of the student, else 1."""
    period: int | None = Field(default=None, ge=2)
    """Number of steps of the full circle: integers from half of it on are negative angles."""
    offset: float | list[float] = 0.0
    """Subtracted from the integer; one number, or one for each slot."""
    shift: int | list[int] | None = None
    """With it, the network's input is ``(integer - offset) >> shift`` (``<<`` where negative), as
    in AXOL1TL; one number, or one for each slot. Without it, the physical value in the units that
    the network was trained on."""


class PortObject(Settings):
    """Slots of one kind of object, one behind the other, each with all its features."""

    name: str
    """Such as ``jet``."""
    slots: int = Field(default=1, ge=1)
    """Number of them."""
    features: list[PortFeature] = Field(min_length=1)
    """In the order of the network's inputs."""

    @model_validator(mode="after")
    def _one_for_each_slot(self) -> "PortObject":
        for feature in self.features:
            for key in ("offset", "shift"):
                values = getattr(feature, key)
                if isinstance(values, list) and len(values) != self.slots:
                    raise ValueError(
                        f"{feature.name} of {self.name}: {key} has {len(values)} numbers for "
                        f"{self.slots} slots"
                    )
        return self


class PortSettings(Settings):
    """Input ports in hardware units, in the order of the network's inputs."""

    objects: list[PortObject] = Field(min_length=1)
    """Object by object, slot by slot, feature by feature: each with ``name``, ``bits``, ``signed``,
    ``unit``, ``step``, ``scale``, ``period``, ``offset`` and ``shift``; see
    ``conf/ports/cms_gt.yaml``."""
    fraction_bits: int | None = Field(default=None, ge=0, le=16)
    """Bits behind the binary point that a shifted number keeps, the others dropped, as
    ``ap_fixed<18,13>`` keeps 5 in AXOL1TL; null keeps all."""

    def integer_ports(self, scales: Sequence[float]) -> tuple[IntegerPort, ...]:
        """Return the ports, one for each input of the network.

        Args:
            scales: of each input the physical value that is a 1 at the network.

        Raises:
            ConfigError: there is another number of inputs than ports.
        """
        features = self._expanded()
        check_number(len(features), len(scales))
        return tuple(
            IntegerPort(
                name=name,
                bits=feature.bits,
                signed=feature.signed,
                gain=feature.step / (feature.scale or scale) if shift is None else 2.0**-shift,
                offset=offset,
                period=feature.period,
                fraction_bits=self.fraction_bits,
            )
            for (name, feature, offset, shift), scale in zip(features, scales, strict=True)
        )

    def quantities(self) -> tuple[Quantity, ...]:
        """Return what stands at each port, for the model card."""
        return tuple(
            Quantity(name, feature.unit, feature.step, _conversion(feature, offset, shift))
            for name, feature, offset, shift in self._expanded()
        )

    def _expanded(self) -> list[tuple[str, PortFeature, float, int | None]]:
        """Return name, feature, offset and shift of each port, in order."""
        rows = []
        for item in self.objects:
            for slot in range(item.slots):
                where = item.name if item.slots == 1 else f"{item.name} {slot + 1}"
                for feature in item.features:
                    offset, shift = feature.offset, feature.shift
                    rows.append(
                        (
                            f"{feature.name} of {where}",
                            feature,
                            float(offset[slot] if isinstance(offset, list) else offset),
                            shift[slot] if isinstance(shift, list) else shift,
                        )
                    )
        return rows


def _conversion(feature: PortFeature, offset: float, shift: int | None) -> str:
    code = f"code - {offset:g}" if offset else "code"
    if feature.period:
        code += f", from code {feature.period // 2} on less {feature.period},"
    code = code if code == "code" else f"({code.rstrip(',')})"
    if shift is None:
        return f"{code} x {feature.step:.10g} {feature.unit}".strip()
    return f"{code} {'>>' if shift >= 0 else '<<'} {abs(shift)}"
