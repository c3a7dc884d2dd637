"""From a quantized model to verified firmware with its figures: what a stage calls."""

import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.bundle import archive as bundle
from l1distill.firmware.bundle import replay
from l1distill.firmware.emulator import cpp as cpp_emulator
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.hls import project as hls
from l1distill.firmware.hls import vendor
from l1distill.firmware.network import serialization as network_file
from l1distill.firmware.network.network import (
    EXACT_FLOAT32_BITS,
    Network,
    evaluate,
    evaluate_rest,
    widest_sum,
)
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results import collect as report
from l1distill.firmware.results.documents import (
    ANY_NETWORK,
    CARD,
    REPORT,
    ModelDescription,
    Quantity,
    write_documents,
)
from l1distill.firmware.results.report import Figures
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import vectors, vivado
from l1distill.firmware.rtl import verilog as rtl
from l1distill.firmware.rtl.verilog import RtlReport
from l1distill.firmware.rtl.yosys import yosys_job
from l1distill.firmware.settings import FirmwareSettings, ScoreSettings
from l1distill.firmware.verification import first_difference as locate
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.comparison import Comparison, compare, differing
from l1distill.firmware.verification.events import random_events
from l1distill.tasks.anomaly.standardization import Standardization

FIGURES = "synthesis.json"
EMULATOR = "emulator.json"
NETWORK = "network.json"
CONTENTS = (
    *(CARD, REPORT, FIGURES, EMULATOR, NETWORK),
    *("rtl", "hls", replay.CPP_FOLDER, "vectors", "constants"),
)
"""What goes into the bundle."""


class Events(NamedTuple):
    """The events that every back end has to reproduce."""

    x: NDArray[np.float64]
    """(n, inputs) that change nothing when they are put on the grid of the input type; those that
    were made to be difficult come last."""
    y: NDArray[np.float64]
    """(n, outputs) what the reference says."""
    reference: report.Reference
    adversarial: int
    """How many are."""

    def fewer(self, number: int) -> "Events":
        """Returns at most ``number`` of the plain ones, and all that are difficult."""
        plain = len(self.x) - self.adversarial
        kept = np.r_[: min(number, plain), plain : len(self.x)]
        return self._replace(x=self.x[kept], y=self.y[kept])


SEED = 2026
"""Of random and adversarial events: the same model is verified on the same ones everywhere."""


def synthesize(
    model: Any,
    x: ArrayLike | None,
    settings: FirmwareSettings,
    output: Path,
    progress: Callable[[str], None] | None = None,
    subject: ModelDescription = ANY_NETWORK,
    score: ScoreSettings | None = None,
    standardization: Standardization | None = None,
) -> Figures:
    """Turns a quantized model into firmware, proves it on events, and counts what it costs.

    Writes into ``output``: ``MODEL_CARD.md``, ``REPORT.md``, ``synthesis.json``, ``rtl/``,
    ``hls/``, ``emulator/``, ``vectors/``, ``emulator.json``, ``network.json`` and
    ``bundle.tar.gz`` with all of these and with ``constants/``, where a caller may leave what
    turns raw objects into inputs.

    Args:
        model: a QKeras model that ``readers.qkeras.from_qkeras`` can read, or a network.
        x: (n, inputs) test inputs on the grid of the input quantizer, which may have the shape of
            the model's input; the first ``settings.verification_events`` are used, and random
            ones where there are fewer. Adversarial ones are added.
        settings: device, pipelining, bounds.
        output: an existing folder; what is in the way is overwritten.
        progress: is told what goes on, one short line at a time.
        subject: what the model card says of the model.
        score: what is put behind the network; nothing where it is None.
        standardization: of an autoencoder of ours, for ``score.kind=mse``.

    Returns:
        The figures. Mismatches are a figure, not an error: a gate judges them.

    Raises:
        DataError: the model is not supported, the events do not fit, or a tool is missing.
        ToolError: a tool crashed or crossed its bounds; see its ``DataError`` line.
    """
    say = progress or (lambda _: None)
    plain = model if isinstance(model, Network) else from_qkeras(model)
    described, output_is = with_score(plain, score or ScoreSettings(), standardization)
    if output_is is not None:
        subject = subject._replace(outputs=(Quantity(output_is),))
    events = _events(model, plain, described, x, settings)
    _check_tools(settings)

    say(f"tracing {described.inputs} inputs into logic")
    emulator = rtl.trace_network(described)
    network_file.save(described, output / NETWORK)
    emulator.save(output / EMULATOR)
    _clear(output / "rtl")
    rtl_figures = rtl.write_rtl(
        emulator, settings.device, settings.latency_cutoff_ns, output / "rtl"
    )
    rtlsim.write_testbench(rtl_figures, output / "rtl")
    vivado.write_ooc_script(settings.device, output / "rtl")
    # read back from the file, so that the file is what has been verified
    emulator = rtl.Emulator.load(output / EMULATOR)
    emulated = emulator.predict(events.x)
    _clear(output / replay.CPP_FOLDER)
    cpp_emulator.write_cpp_emulator(emulator, output / replay.CPP_FOLDER)
    _write_vectors(output / "vectors", described, rtl_figures, events, emulated)

    yosys_bounds = TimeLimit(settings.yosys_time_limit_s, "firmware.yosys_time_limit_s")
    say(f"counting {settings.device.name} primitives with yosys, beside the simulations")
    with yosys_job(
        rtl.verilog_files(output / "rtl"),
        rtl.TOP,
        settings.device.family,
        yosys_bounds,
        settings.yosys_memory_limit_gib,
    ) as job:
        results = report.Results(
            rtl=rtl_figures,
            rtl_comparison=_compare_emulator(described, events, emulated),
            cpp_comparison=_run_cpp(events, settings, output / replay.CPP_FOLDER, say),
            hls_comparison=_simulate_hls(described, events, settings, output, say),
            hls_version=hls.hls4ml_version(),
            rtl_simulation=_simulate_rtl(described, rtl_figures, events, settings, output, say),
            vendor=_build_vendor(described, settings, say),
            reference=events.reference,
            own_version=version("l1distill"),
            adversarial=events.adversarial,
        )
        say("waiting for yosys")
        counts = job.counts()
    figures = report.gather(results, counts, settings.device)
    figures.save(output / FIGURES)
    write_documents(subject, described, rtl_figures, figures, output)
    say("packing the bundle")
    bundle.write_bundle(output, output / bundle.BUNDLE, only=CONTENTS)
    return figures


def _events(
    model: Any,
    plain: Network,
    described: Network,
    x: ArrayLike | None,
    settings: FirmwareSettings,
) -> Events:
    """Chooses events; ``described`` is ``plain``, what the model is, with a score behind it."""
    given = np.empty((0, described.inputs)) if x is None else np.asarray(x)
    wanted = settings.verification_events
    values = given.reshape(len(given), -1) if given.ndim > 2 else given
    if values.ndim != 2 or values.shape[1] != described.inputs:
        raise DataError(
            f"test inputs have shape {given.shape}, the model takes (events, {described.inputs})"
        )
    values = values[:wanted].astype(np.float64)
    if not described.input_type.holds(values / described.input_units):
        raise DataError(
            f"test inputs are not on the grid of the input quantizer, {described.input_type.hls}; "
            "quantize them first, or the comparison measures the inputs"
        )
    random = random_events(described, wanted - len(values), SEED)
    difficult = adversarial_events(described, settings.adversarial_events, SEED).x
    values, hard = np.concatenate([values, random, difficult]), len(difficult)
    layer, bits = widest_sum(plain)
    exact = evaluate(described, values)
    if isinstance(model, Network):
        name = "the network in exact arithmetic"
        return Events(values, exact, report.Reference(name, None), hard)
    floats = values.astype(np.float32).reshape(len(values), *model.input_shape[1:])
    predicted = predict(model, floats)
    ports = described.to_port_values(values)
    predicted = evaluate_rest(described, len(plain.layers), ports, predicted)
    if bits <= EXACT_FLOAT32_BITS:
        return Events(values, predicted, report.Reference("QKeras", None), hard)
    doubt = (
        f"the network in exact arithmetic, since sums of layer {layer} take up to {bits} bits, "
        "more than QKeras' float32 holds,"
    )
    return Events(values, exact, report.Reference(doubt, compare(exact, predicted)), hard)


def predict(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns (n, outputs) what a Keras model says, several ends side by side."""
    found = model.predict(x, batch_size=4096, verbose=0)
    ends = found if isinstance(found, list) else [found]
    return np.concatenate(
        [np.asarray(end, dtype=np.float64).reshape(len(x), -1) for end in ends], axis=1
    )


def _compare_emulator(
    described: Network, events: Events, emulated: NDArray[np.float64]
) -> Comparison:
    found = compare(events.y, emulated)
    if found.mismatches:
        wrong = events.x[differing(events.y, emulated)]
        found = found._replace(
            where=locate.looked_for(lambda: locate.first_in_emulator(described, wrong))
        )
    return found


def _check_tools(settings: FirmwareSettings) -> None:
    """Finds out what is missing before the first minute of work."""
    hls.find_compiler()
    rtlsim.find_simulator(settings.rtl_simulator)
    replay.find_make()


def _run_cpp(
    events: Events, settings: FirmwareSettings, sources: Path, say: Callable[[str], None]
) -> Comparison:
    say("building the emulator in C++")
    bounds = TimeLimit(settings.hls_time_limit_s, "firmware.hls_time_limit_s")
    with tempfile.TemporaryDirectory(prefix="l1distill-emulator-") as name:
        folder = Path(name) / sources.name
        shutil.copytree(sources, folder)
        replay.build_emulator(folder, bounds)
        return compare(events.y, cpp_emulator.predict(folder / cpp_emulator.LIBRARY, events.x))


def _simulate_hls(
    described: Network,
    events: Events,
    settings: FirmwareSettings,
    output: Path,
    say: Callable[[str], None],
) -> Comparison:
    say("compiling the hls4ml project's C simulation")
    folder = output / "hls"
    _clear(folder)
    hls.write_hls_project(described, settings.device, folder)
    bounds = TimeLimit(settings.hls_time_limit_s, "firmware.hls_time_limit_s")
    simulated = hls.simulate_hls(folder, events.x, described, bounds)
    found = compare(events.y, simulated)
    if found.mismatches:
        wrong = events.x[differing(events.y, simulated)]
        found = found._replace(
            where=locate.looked_for(lambda: locate.first_in_hls(folder, described, wrong, bounds))
        )
    return found


def _simulate_rtl(
    described: Network,
    rtl_figures: RtlReport,
    events: Events,
    settings: FirmwareSettings,
    output: Path,
    say: Callable[[str], None],
) -> report.RtlSimulation | None:
    simulator = rtlsim.find_simulator(settings.rtl_simulator)
    if simulator is None:
        return None
    say(f"simulating the Verilog with {simulator.name} {simulator.version}")
    setting = "firmware.rtl_simulation_time_limit_s"
    bounds = TimeLimit(settings.rtl_simulation_time_limit_s, setting)
    replayed = events.fewer(settings.rtl_simulation_events)
    ports = described.to_port_values(replayed.x)
    simulated = rtlsim.simulate_rtl(output / "rtl", rtl_figures, ports, simulator, bounds)
    found = compare(replayed.y, simulated)
    if found.mismatches:
        wrong = replayed.x[differing(replayed.y, simulated)]
        device, cutoff = settings.device, settings.latency_cutoff_ns
        where = locate.looked_for(
            lambda: locate.first_in_rtl(described, wrong, device, cutoff, simulator, bounds)
        )
        found = found._replace(where=where)
    return report.RtlSimulation(simulator, found)


def _build_vendor(
    described: Network, settings: FirmwareSettings, say: Callable[[str], None]
) -> vendor.VendorReport | None:
    tool = vendor.find_vendor_tool(settings.vendor_tools)
    if tool is None:
        return None
    say(f"building the HLS project with {tool.name}")
    bounds = TimeLimit(settings.vendor_time_limit_s, "firmware.vendor_time_limit_s")
    with tempfile.TemporaryDirectory(prefix="l1distill-vendor-") as name:
        project, work = Path(name) / "project", Path(name) / "build"
        hls.write_hls_project(described, settings.device, project, tool.backend)
        return vendor.build(tool, project, work, bounds)


def _write_vectors(
    folder: Path,
    described: Network,
    rtl_figures: RtlReport,
    events: Events,
    emulated: NDArray[np.float64],
) -> None:
    _clear(folder)
    folder.mkdir()
    ports = described.to_port_values(events.x)
    vectors.write_codes(folder / "input.txt", ports, described.input_type, "inputs")
    vectors.write_codes(
        folder / "output.txt", events.y, described.output_type, "outputs of the model"
    )
    for name, port, values in (
        ("input.hex", rtl_figures.input_port, ports),
        ("output.hex", rtl_figures.output_port, emulated),
    ):
        (folder / name).write_text("\n".join(vectors.pack(port, values)) + "\n")


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
