"""Synthesis of a quantized model: verified firmware with its resources and latency."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from l1distill.firmware import files
from l1distill.firmware.bundle.archive import file_mode, pack_bundle
from l1distill.firmware.bundle.manifest import format_manifest
from l1distill.firmware.compiler import find_compiler, find_make
from l1distill.firmware.emulator.cmssw import write_cmssw_library
from l1distill.firmware.emulator.cpp import write_cpp_emulator
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.functions.error_head import ErrorHead
from l1distill.firmware.functions.port_conversion import (
    IntegerPort,
    to_codes,
    with_integer_ports,
)
from l1distill.firmware.functions.score_head import ScoredNetwork, accept_in_words, with_score
from l1distill.firmware.hls import vendor
from l1distill.firmware.hls.project import write_hls_project
from l1distill.firmware.network import serialization
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results.collect import ToolResults, collect_report
from l1distill.firmware.results.documents import (
    ANY_NETWORK,
    ModelDescription,
    render_documents,
)
from l1distill.firmware.results.quantity import Quantity
from l1distill.firmware.results.report import SynthesisReport
from l1distill.firmware.rtl import verilog
from l1distill.firmware.rtl.array import write_array
from l1distill.firmware.rtl.simulation import Simulator, find_simulator, write_testbench
from l1distill.firmware.rtl.vectors import format_codes, format_words
from l1distill.firmware.rtl.vivado import write_ooc_script
from l1distill.firmware.rtl.yosys import yosys_job
from l1distill.firmware.settings import FirmwareSettings, ScoreSettings
from l1distill.firmware.verification.back_ends import (
    Progress,
    compare_array,
    compare_cpp,
    compare_emulator,
    compare_hls,
    compare_rtl,
)
from l1distill.firmware.verification.reference import VerificationEvents, choose_events

_CONSTANT = "The outputs are the same for every input: the firmware is constants, without logic."


@dataclass(frozen=True, eq=False)
class Firmware:
    """Verified firmware of one network: its report, its emulator and its files."""

    report: SynthesisReport
    """Resources, latency and mismatches; a mismatch is a result, which gates judge."""
    network: Network
    """The network that the firmware computes, the score included."""
    emulator: Emulator
    """Computes events as the Verilog does."""
    files: Mapping[str, bytes]
    """Content of each file by its relative name: ``rtl/``, ``hls/``, ``emulator/``, ``vectors/``,
    ``constants/``, ``network.json``, ``emulator.json`` and the documents."""

    def to_bundle(self) -> bytes:
        """Pack all files, with a manifest, into a ``tar.gz``: the same bytes for the same files."""
        return pack_bundle(self.files)

    def write(self, folder: Path) -> None:
        """Write all files, their manifest and the bundle into a folder.

        Args:
            folder: made if it is not there; earlier files of a synthesis in it are replaced.
        """
        for top in {name.split("/")[0] for name in self.files if "/" in name}:
            shutil.rmtree(folder / top, ignore_errors=True)
        beside = {
            files.MANIFEST: format_manifest(self.files),
            files.BUNDLE: self.to_bundle(),
        }
        for name, content in {**self.files, **beside}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if file_mode(name) & 0o100:
                path.chmod(file_mode(name))


def synthesize(
    model: Any,
    events: ArrayLike | None,
    settings: FirmwareSettings,
    *,
    description: ModelDescription = ANY_NETWORK,
    score: ScoreSettings | None = None,
    error_head: ErrorHead | None = None,
    constants: Mapping[str, bytes] | None = None,
    model_network: Network | None = None,
    ports: Sequence[IntegerPort] = (),
    groups: Sequence[int] = (),
    progress: Callable[[str], None] | None = None,
) -> Firmware:
    """Turn a quantized model into firmware, verify it bit for bit, and count its resources.

    The network becomes Verilog through alkaid (distributed arithmetic, one fully unrolled
    pipeline) and an HLS project through hls4ml (arXiv:1804.06913). Both, and an emulator in C++,
    are compared with QKeras on the same events, without any tolerance; the Verilog is simulated
    where Verilator or Icarus Verilog is installed. yosys counts LUT, FF, DSP and BRAM after
    ``synth_xilinx``, before place and route.

    Args:
        model: a QKeras model that ``readers.qkeras.from_qkeras`` can read, or a network.
        events: (n, inputs) test inputs on the grid of the input quantizer, or of the shape of the
            model's input; the first ``settings.verification_events`` are used, and random ones
            where there are fewer or where it is ``None``. Adversarial events are added.
        settings: target device, pipelining, number of events, limits of the tools.
        description: of the model, for the model card.
        score: computed behind the network, in the same firmware; none where it is ``None``.
        error_head: for ``score.kind=mse``, the error that the task scores its autoencoder with; the
            mean square of outputs less inputs where it is ``None``.
        constants: files that belong to the firmware, by name, such as the scaling of its inputs;
            they are packed into ``constants/``.
        model_network: what a QKeras model was read as, where types were chosen for what it gives
            none; it is read here if None.
        ports: where the inputs are the trigger's own integers, one for each input; the conversion
            to the network's inputs is part of the firmware, and ``events`` are given as before.
        groups: where ``settings.copies`` are several: how many of the events, from the first on,
            belong together, such as the particles of one event after the other.
        progress: is told what is being done, one short line at a time.

    Returns:
        The firmware, also where events differ: ``firmware/mismatches`` of its report counts them.

    Raises:
        DataError: the model is not supported, or the events do not fit.
        ConfigError: the network has no such score.
        ToolError: a program is missing, failed, or took too much time or memory.
    """
    progress = progress or (lambda _: None)
    if model_network is None:
        model_network = model if isinstance(model, Network) else from_qkeras(model)
    scored = with_score(model_network, score or ScoreSettings(), error_head)
    ported = with_integer_ports(scored.network, ports) if ports else None
    if ported is not None and events is not None:
        values = np.asarray(events, dtype=np.float64)
        events = to_codes(values.reshape(len(values), -1), ports)
    network = ported.network if ported else scored.network
    description = replace(description, outputs=_outputs(description, scored, score))
    simulator = _find_tools(settings)
    chosen = choose_events(model, model_network, scored.network, events, settings, ported)
    with tempfile.TemporaryDirectory(prefix="l1distill-synthesis-") as temporary:
        folder = Path(temporary)
        progress(f"tracing {network.inputs} inputs into logic")
        emulator, rtl = _write_sources(folder, network, settings)
        if emulator.is_constant:
            progress(_CONSTANT)
            description = replace(description, limitations=(*description.limitations, _CONSTANT))
        _write_vectors(folder, network, rtl, chosen, emulator)
        results = _run_tools(
            folder, network, emulator, rtl, chosen, groups, simulator, settings, progress
        )
        report = collect_report(results, settings.device)
        texts = render_documents(description, network, emulator, rtl, report)
        texts[files.SYNTHESIS_REPORT] = report.to_json()
        contents = _read_files(folder)
    contents |= {name: text.encode() for name, text in texts.items()}
    for name, content in (constants or {}).items():
        contents[f"{files.CONSTANTS_FOLDER}/{name}"] = content
    return Firmware(report=report, network=network, emulator=emulator, files=contents)


def _outputs(
    description: ModelDescription, scored: ScoredNetwork, score: ScoreSettings | None
) -> tuple[Quantity, ...]:
    """Return what comes out, the score and the accept bit included."""
    outputs = description.outputs
    if scored.output is not None:
        outputs = (Quantity(name=scored.output),)
    if score is not None and score.accept is not None:
        accept = Quantity(name=accept_in_words(score.accept))
        outputs = (*(outputs or (Quantity(name="score"),)), accept)
    return outputs


def _find_tools(settings: FirmwareSettings) -> Simulator | None:
    """Find programs that are missing before any work; return the simulator of the Verilog."""
    find_compiler()
    find_make()
    events = min(settings.verification_events, settings.rtl_simulation_events)
    return find_simulator(settings.rtl_simulator, events + settings.adversarial_events)


def _write_sources(
    folder: Path, network: Network, settings: FirmwareSettings
) -> tuple[Emulator, verilog.RtlReport]:
    """Write the Verilog and the emulators; return the emulator as read from its file."""
    serialization.save(network, folder / files.NETWORK)
    emulator = verilog.trace_network(network)
    emulator.save(folder / files.EMULATOR)
    rtl_folder = folder / files.RTL_FOLDER
    rtl = verilog.write_rtl(
        emulator,
        settings.device,
        settings.latency_cutoff_ns,
        rtl_folder,
        fit_clock=settings.fit_clock,
    )
    write_testbench(rtl, rtl_folder)
    if settings.copies > 1:
        write_array(rtl, settings.copies, rtl_folder)
    write_ooc_script(settings.device, rtl_folder)
    write_cpp_emulator(emulator, folder / files.CPP_FOLDER)
    write_cmssw_library(emulator, folder / files.CMSSW_FOLDER)
    # read back from the file, so that the file is what is verified
    return Emulator.load(folder / files.EMULATOR), rtl


def _write_vectors(
    folder: Path,
    network: Network,
    rtl: verilog.RtlReport,
    events: VerificationEvents,
    emulator: Emulator,
) -> None:
    """Write the test vectors: codes from the reference, bus words from the emulator."""
    ports = network.to_port_values(events.x)
    texts = {
        files.INPUT_CODES: format_codes(ports, network.input_type, "inputs"),
        files.OUTPUT_CODES: format_codes(events.y, network.output_type, "outputs of the model"),
        files.INPUT_WORDS: format_words(rtl.top_input, ports),
        files.OUTPUT_WORDS: format_words(rtl.top_output, emulator.predict(events.x)),
    }
    (folder / files.VECTORS_FOLDER).mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _run_tools(
    folder: Path,
    network: Network,
    emulator: Emulator,
    rtl: verilog.RtlReport,
    events: VerificationEvents,
    groups: Sequence[int],
    simulator: Simulator | None,
    settings: FirmwareSettings,
    progress: Progress,
) -> ToolResults:
    """Compare all back ends with the reference, while yosys counts primitives in the background."""
    rtl_folder = folder / files.RTL_FOLDER
    hls_folder = folder / files.HLS_FOLDER
    progress(f"counting {settings.device.name} primitives with yosys, beside the simulations")
    with yosys_job(
        verilog.verilog_files(rtl_folder),
        verilog.TOP,
        settings.device.family,
        settings.time_limit("yosys"),
        settings.yosys_memory_limit_gib,
    ) as job:
        rtl_comparison = compare_emulator(emulator, network, events, progress)
        cpp_comparison = compare_cpp(folder / files.CPP_FOLDER, events, settings, progress)
        write_hls_project(network, settings.device, hls_folder)
        hls_comparison = compare_hls(hls_folder, network, events, settings, progress)
        rtl_simulation = array = None
        if simulator is not None:
            rtl_simulation = compare_rtl(
                rtl_folder, rtl, network, events, simulator, settings, progress
            )
        if simulator is not None and settings.copies > 1:
            array = compare_array(
                rtl_folder, rtl, network, events, groups, simulator, settings, progress
            )
        vendor_report = _build_vendor(network, settings, progress)
        progress("waiting for yosys")
        counts = job.counts()
    return ToolResults(
        rtl=rtl,
        counts=counts,
        rtl_comparison=rtl_comparison,
        cpp_comparison=cpp_comparison,
        hls_comparison=hls_comparison,
        reference=events.reference,
        adversarial=events.adversarial,
        rtl_simulation=rtl_simulation,
        copies=settings.copies,
        array=array,
        vendor=vendor_report,
    )


def _build_vendor(
    network: Network, settings: FirmwareSettings, progress: Progress
) -> vendor.VendorReport | None:
    tool = vendor.find_vendor_tool(settings.vendor_tools)
    if tool is None:
        return None
    progress(f"building the HLS project with {tool.name}")
    with tempfile.TemporaryDirectory(prefix="l1distill-vendor-") as name:
        project = Path(name) / "project"
        write_hls_project(network, settings.device, project, tool.backend)
        return vendor.build(tool, project, Path(name) / "build", settings.time_limit("vendor"))


def _read_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
