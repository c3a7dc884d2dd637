"""What a user chooses about the synthesis; mirrors ``conf/firmware/default.yaml``."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from l1distill.core.settings import Settings
from l1distill.firmware.devices import Device


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


class ScoreSettings(Settings):
    """What is computed of a network's outputs behind it; mirrors ``conf/synthesize.yaml``."""

    kind: Literal["sum_mu2", "kl", "rz", "mse"] | None = None
    """``sum_mu2`` is the sum of the squares of a VAE's means, ``kl`` the D_KL of its latent space,
    ``rz`` its R_z; ``mse`` the error of an autoencoder; nothing where it is ``None``."""
    latent: int | None = Field(default=None, ge=1)
    """How many outputs, from the first, are means; half of all where it is ``None``."""
    pieces: int | None = Field(default=None, ge=1, le=64)
    """Of the exponential in ``kl`` and ``rz``, 32 where it is ``None``, and of the tanh in ``mse``,
    12; the model card says how far off the score is."""
    bits: int | None = Field(default=None, ge=1, le=24)
    """Of the score; as many as it takes where it is ``None``, in ``kl`` at most 24."""
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """Gives one bit: whether the score, or the only output, is at least that."""

    @model_validator(mode="after")
    def _complete(self) -> "ScoreSettings":
        if self.kind is None:
            for name in ("latent", "bits"):
                if getattr(self, name) is not None:
                    raise ValueError(f"score.{name}= goes with a score.kind=; name that as well")
        return self


class PrecisionSettings(Settings):
    """What a model in floating point is rounded to; mirrors ``conf/synthesize.yaml``."""

    bits: int = Field(default=8, ge=2, le=16)
    """Of every weight, bias and activation."""
    calibration: Path | None = None
    """A file of events that ranges are chosen on."""
    pieces: int = Field(default=16, ge=1, le=64)
    """Most straight pieces of a sigmoid or tanh; the model card says how far off they are."""
    softmax: Literal["argmax"] | None = None
    """``argmax`` puts in place of a softmax at the end a 1 for the largest number and a 0 for all
    others; a model that ends in one is refused where it is ``None``."""
    input_range: float = Field(default=4.0, gt=0)
    """Without such a file, and without events to verify on: inputs are anywhere in +- this."""
