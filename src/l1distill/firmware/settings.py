"""Settings of the synthesis: target device, verification, time limits, score and precision."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from l1distill.core.settings import Settings
from l1distill.firmware.devices import VU9P, Device
from l1distill.firmware.process import TimeLimit

if TYPE_CHECKING:
    from l1distill.firmware.network.fixed_point import FixedPoint


class FirmwareSettings(Settings):
    """Target device, pipelining, number of verified events, and limits of the tools.

    The defaults are those of ``conf/firmware/default.yaml``.
    """

    device: Device = VU9P
    """The FPGA, with its clock."""
    latency_cutoff_ns: float = Field(default=3.5, gt=0)
    """Budget of estimated delay for a pipeline stage [ns].

    alkaid counts an operation that crosses a cut whole in the later stage, so a stage may exceed
    the budget; ``firmware/critical_delay_ns`` is the longest delay, before retiming.
    """
    fit_clock: bool = True
    """Whether stages are cut shorter than the budget, in steps of 0.25 ns, where the longest would
    exceed the clock period less the setup uncertainty of the constraints."""
    copies: int = Field(default=1, ge=1, le=64)
    """Copies of the network side by side, which take as many items of an event at every clock edge,
    with valid signals and the ends of events (``rtl/top/l1distill_array.v``); 1: none."""
    verification_events: int = Field(default=10_000, ge=1)
    """Number of events that each back end must reproduce bit for bit: those that are given, and
    random ones from the whole range of the inputs where these are fewer."""
    adversarial_events: int = Field(default=2000, ge=0)
    """Maximum number of events in addition that are made to meet the ends of ranges, roundings and
    saturations."""
    rtl_simulator: Literal["auto", "verilator", "iverilog", "none"] = "auto"
    """Simulates the written Verilog; ``auto`` takes what is installed, and of the two Icarus
    Verilog for up to 1,000 events."""
    rtl_simulation_events: int = Field(default=10_000, ge=1)
    """Number of events that the RTL simulator replays, in addition to the adversarial ones."""
    vendor_tools: Literal["auto", "never"] = "auto"
    """``auto`` runs Vitis HLS or Vivado HLS where one is on the PATH."""
    hls_time_limit_s: float = Field(default=300.0, gt=0)
    """For compiling and running the C simulation, and for the emulator in C++ [s]."""
    yosys_time_limit_s: float = Field(default=900.0, gt=0)
    """For the synthesis with yosys [s]."""
    yosys_memory_limit_gib: float = Field(default=4.0, gt=0)
    """Address space of yosys [GiB]."""
    rtl_simulation_time_limit_s: float = Field(default=300.0, gt=0)
    """For building and for running the simulation of the Verilog [s]."""
    vendor_time_limit_s: float = Field(default=14400.0, gt=0)
    """For Vitis HLS or Vivado HLS [s]."""

    def time_limit(self, tool: Literal["hls", "yosys", "rtl_simulation", "vendor"]) -> TimeLimit:
        """Return the time limit of a tool, with the key that its error message names."""
        field = f"{tool}_time_limit_s"
        return TimeLimit(seconds=getattr(self, field), setting=f"firmware.{field}")


class ScoreSettings(Settings):
    """The anomaly score that is computed from a network's outputs, in the same firmware."""

    kind: Literal["sum_mu2", "kl", "rz", "mse"] | None = None
    """``sum_mu2`` is the sum of the squares of a VAE's means, ``kl`` the D_KL of its latent space,
    ``rz`` its R_z (Govorkova et al., arXiv:2108.03986); ``mse`` the mean squared error
    of an autoencoder."""
    latent: int | None = Field(default=None, ge=1)
    """Number of outputs, from the first, that are means; half of all by default."""
    pieces: int | None = Field(default=None, ge=1, le=64)
    """Maximum number of linear pieces of the exponential in ``kl`` and ``rz`` (32 by default) and
    of the tanh in ``mse`` (12 by default); the model card gives the error of the score."""
    bits: int | None = Field(default=None, ge=1, le=24)
    """Bits of the score; by default as many as it takes to be exact, for ``kl`` at most 24."""
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """One bit comes out: whether the score, or the only output, is at least the threshold."""
    accept: float | None = Field(default=None, allow_inf_nan=False)
    """One more output beside the score: 1 where that is at least this threshold, else 0."""

    @model_validator(mode="after")
    def _check_complete(self) -> "ScoreSettings":
        if self.threshold is not None and self.accept is not None:
            raise ValueError("score.accept= goes beside the score, score.threshold= replaces it")
        if self.kind is None:
            for name in ("latent", "bits"):
                if getattr(self, name) is not None:
                    raise ValueError(f"score.{name}= goes with a score.kind=; name that as well")
        return self


class PrecisionSettings(Settings):
    """Precision of a model in floating point, and of what has no type in a QKeras model."""

    bits: int = Field(default=8, ge=2, le=16)
    """Bits of every weight, bias and activation that has no type of its own."""
    calibration: Path | None = None
    """File of events that ranges are chosen on (``.npy``, ``.npz``, ``.h5``); without it those that
    the firmware is verified on."""
    pieces: int = Field(default=16, ge=1, le=64)
    """Maximum number of linear pieces of a sigmoid or tanh; the model card gives their error."""
    softmax: Literal["logits", "argmax", "table"] = "logits"
    """In place of a softmax at the end: ``logits`` leaves it out, so that the numbers that go into
    it come out, in the order of the probabilities; ``argmax`` gives 1 for the largest number and 0
    for the others; ``table`` gives probabilities, from tables of the exponential and reciprocal."""
    input: str | None = None
    """Type of inputs that have none in the model, as hls4ml and Vivado write it: ``fixed<16,6>``
    or ``ap_ufixed<8,1,AP_TRN,AP_WRAP>``; rounded to nearest (``RND_CONV``) and clipped (``SAT``)
    where it does not say. By default chosen on the calibration events; without them ``fixed<16,6>``
    in a QKeras model."""
    input_range: float = Field(default=4.0, gt=0)
    """Without any events: inputs are assumed within plus or minus this range, and drawn uniformly
    from it to choose ranges and to measure differences."""

    @field_validator("input")
    @classmethod
    def _check_input(cls, text: str | None) -> str | None:
        if text is not None:
            from l1distill.firmware.network.fixed_point import parse_type

            parse_type(text)
        return text

    @property
    def input_type(self) -> "FixedPoint | None":
        """The type of :attr:`input`."""
        from l1distill.firmware.network.fixed_point import parse_type

        return None if self.input is None else parse_type(self.input)
