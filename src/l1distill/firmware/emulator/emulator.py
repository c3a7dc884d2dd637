"""Bit-exact emulator of the firmware: the logic that becomes Verilog, run on the processor."""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint, quantize_columns

FORMAT = "l1distill-emulator-2"


@dataclass(frozen=True)
class Emulator:
    """Bit-exact emulator of the Verilog; needs numpy and alkaid, not TensorFlow."""

    inputs: int
    """Number of inputs."""
    input_type: FixedPoint
    input_exponents: tuple[int, ...]
    """Input ``i`` is divided by ``2**input_exponents[i]`` first; empty where all are 0."""
    output_type: FixedPoint
    logic: Any
    """alkaid's ``CombLogic``: the combinational logic before it is cut into a pipeline."""
    port_types: tuple[FixedPoint, ...] = ()
    """The type of each input port where they differ, with ``input_type`` for all; else empty."""

    @property
    def ports(self) -> tuple[FixedPoint, ...]:
        """The type of each input port."""
        return self.port_types or (self.input_type,) * self.inputs

    @property
    def exponents(self) -> tuple[int, ...]:
        """What power of two a 1 at each input port stands for."""
        return self.input_exponents or (0,) * self.inputs

    @property
    def is_constant(self) -> bool:
        """Whether the outputs are the same for every input, so that there is no logic."""
        return all(low == high for low, high, _ in self.logic.out_qint)

    def predict(self, x: ArrayLike) -> NDArray[np.float64]:
        """Compute the outputs of the firmware, bit for bit.

        Args:
            x: (n, inputs) inputs of the network; they are scaled and quantized to the types of the
                ports first, which does not change numbers on the grid of the inputs.

        Returns:
            (n, outputs) values of ``output_type``.

        Raises:
            ValueError: ``x`` has another shape or holds NaN.
        """
        values = np.asarray(x, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.inputs:
            raise ValueError(f"x has shape {values.shape}, the firmware takes (n, {self.inputs})")
        if np.isnan(values).any():
            raise ValueError("x holds NaN")
        if len(values) == 0:
            return np.empty((0, self.logic.shape[1]))
        if self.input_exponents:
            values = values / np.ldexp(1.0, np.asarray(self.input_exponents))
        quantized = np.ascontiguousarray(quantize_columns(values, self.ports))
        result: NDArray[np.float64] = self.logic.predict(quantized) + 0.0
        return result

    def to_json(self) -> str:
        """Return the emulator as JSON, the same text for the same logic."""
        from alkaid.types import ALIR_SPEC_VERSION, JSONEncoder

        content = {
            "format": FORMAT,
            "alkaid": version("alkaid"),
            "inputs": self.inputs,
            "input_type": asdict(self.input_type),
            "input_exponents": self.input_exponents,
            "output_type": asdict(self.output_type),
            "alir": {"model": self.logic, "meta": "ALIRModel", "spec_version": ALIR_SPEC_VERSION},
        }
        if self.port_types:
            content["port_types"] = [asdict(port) for port in self.port_types]
        text = json.dumps(content, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))
        return text + "\n"

    def save(self, path: Path) -> None:
        """Write the emulator as one JSON file, the same bytes for the same logic."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an emulator that :meth:`save` wrote.

        Raises:
            DataError: the file is missing, broken or of another format.
        """
        from alkaid.types import CombLogic

        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}, not {FORMAT!r}")
            return cls(
                inputs=content["inputs"],
                input_type=FixedPoint(**content["input_type"]),
                input_exponents=tuple(content["input_exponents"]),
                output_type=FixedPoint(**content["output_type"]),
                logic=CombLogic.from_dict(content["alir"]),
                port_types=tuple(FixedPoint(**port) for port in content.get("port_types", [])),
            )
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
        except (AssertionError, KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(f"{path}: is no emulator ({error}); synthesize again") from error
