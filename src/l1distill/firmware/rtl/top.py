"""The top module around the kernel, with valid signals and reset, and its AXI4-Stream wrapper.

The kernel of alkaid takes an event at every clock edge, has no reset and leaves bits out that do
not matter. The top module has every input and output at its full width, in order, and says with
``out_valid`` which results belong to an event; the wrapper holds results back until they are taken.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.rtl.port import Port

KERNEL = "l1distill"
TOP = "l1distill_top"
STREAM = "l1distill_axis"
FOLDER = "top"
"""Where both are, in the folder of the Verilog."""
CONSTRAINTS = f"{FOLDER}/{TOP}.xdc"

_TOP = """\
`timescale 1 ns / 1 ps
// The network with valid signals: the result of an event that is sampled with in_valid appears
// {latency} clock edges later, together with out_valid. An event may come at every edge.
// rst (active high, synchronous) drops the events that are under way.
//
// Element 0 of each bus is in its lowest bits; ../ports.json has the type of each element.
module {top} (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire [{inputs}:0] model_inp,
    output wire out_valid,
    output wire [{outputs}:0] model_out
);
    reg [{latency}:0] valid;
    wire [{kernel_inputs}:0] kernel_inp;
    wire [{kernel_outputs}:0] kernel_out;

    always @(posedge clk)
        if (rst) valid <= 0;
        else valid <= {{valid[{latency_less_1}:0], in_valid}};
    assign out_valid = valid[{latency}];

{wires}

    {kernel} kernel (.clk(clk), .model_inp(kernel_inp), .model_out(kernel_out));
endmodule
"""

_STREAM = """\
`timescale 1 ns / 1 ps
// AXI4-Stream around {top}: an event a beat, a result a beat, in order. Results wait
// in a buffer of {depth} until they are taken; s_axis_tready falls while all of it is promised, so
// that nothing is lost. Buses are padded with zeros to whole bytes.
module {stream} (
    input wire aclk,
    input wire aresetn,
    input wire [{input_data}:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    output wire [{output_data}:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready
);
    reg [{outputs}:0] results [0:{depth_less_1}];
    reg [{address_less_1}:0] head, tail;
    reg [{address}:0] waiting;  // results that are there
    reg [{address}:0] promised; // those, and the events under way
    wire out_valid;
    wire [{outputs}:0] model_out;
    wire accept = s_axis_tvalid & s_axis_tready;
    wire deliver = m_axis_tvalid & m_axis_tready;

    assign s_axis_tready = aresetn & (promised != {depth});
    assign m_axis_tvalid = waiting != 0;
    assign m_axis_tdata = {padded};

    always @(posedge aclk)
        if (!aresetn) begin
            head <= 0;
            tail <= 0;
            waiting <= 0;
            promised <= 0;
        end else begin
            if (out_valid) tail <= tail + 1'b1;
            if (deliver) head <= head + 1'b1;
            waiting <= waiting + out_valid - deliver;
            promised <= promised + accept - deliver;
        end
    always @(posedge aclk)
        if (out_valid) results[tail] <= model_out;

    {top} top (
        .clk(aclk),
        .rst(~aresetn),
        .in_valid(accept),
        .model_inp(s_axis_tdata[{inputs}:0]),
        .out_valid(out_valid),
        .model_out(model_out)
    );
endmodule
"""


class Buses(NamedTuple):
    """The buses of the kernel and of the top module around it."""

    kernel_input: Port
    kernel_output: Port
    input: Port
    """Every input of the network, each with the type of its port."""
    output: Port
    """Every output of the network, each of the output type."""


def write_top(latency_cycles: int, buses: Buses, folder: Path) -> None:
    """Write the top module, its constraints and its AXI4-Stream wrapper.

    Args:
        latency_cycles: of the kernel, at least 1.
        buses: of both.
        folder: with ``src/`` of the kernel.
    """
    depth, address = 2, 1
    while depth < latency_cycles + 3:  # a full buffer does not stop events one a clock
        depth, address = 2 * depth, address + 1
    inputs, outputs = buses.input.bits, buses.output.bits
    input_bytes, output_bytes = -(-inputs // 8), -(-outputs // 8)
    values = {
        "top": TOP,
        "stream": STREAM,
        "kernel": KERNEL,
        "latency": latency_cycles,
        "latency_less_1": latency_cycles - 1,
        "inputs": inputs - 1,
        "outputs": outputs - 1,
        "kernel_inputs": buses.kernel_input.bits - 1,
        "kernel_outputs": buses.kernel_output.bits - 1,
        "wires": "\n".join(
            [
                *_wires(buses.input, buses.kernel_input, "model_inp", "kernel_inp"),
                *_wires(buses.kernel_output, buses.output, "kernel_out", "model_out"),
            ]
        ),
        "depth": depth,
        "depth_less_1": depth - 1,
        "address": address,
        "address_less_1": address - 1,
        "input_data": 8 * input_bytes - 1,
        "output_data": 8 * output_bytes - 1,
        "padded": _padded("results[head]", 8 * output_bytes - outputs),
    }
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, template in ((TOP, _TOP), (STREAM, _STREAM)):
        path = folder / FOLDER / f"{name}.v"
        path.write_text(template.format(**values), encoding="utf-8")
    kernel = (folder / "src" / f"{KERNEL}.xdc").read_text(encoding="utf-8")
    (folder / CONSTRAINTS).write_text(kernel + _delays(), encoding="utf-8")


def top_files(folder: Path) -> tuple[Path, ...]:
    """Return the Verilog files of the top module and its wrapper, without the kernel's."""
    return tuple(folder / FOLDER / f"{name}.v" for name in (STREAM, TOP))


def _padded(word: str, zeros: int) -> str:
    return f"{{{zeros}'b0, {word}}}" if zeros else word


def _delays() -> str:
    """Return the constraints of the ports that the kernel has not."""
    lines = ["", "# Ports of the top module that the kernel has not"]
    for kind, port in (("input", "rst"), ("input", "in_valid"), ("output", "out_valid")):
        lines += [
            f"set_{kind}_delay -clock sys_clk -{end} $delay_{end} [get_ports {{{port}}}]"
            for end in ("max", "min")
        ]
    return "\n".join(lines) + "\n"


def _wires(source: Port, target: Port, source_name: str, target_name: str) -> Iterator[str]:
    """Yield an assignment for each element of the target, of the source's bits that it needs."""
    source_at = target_at = 0
    for have, want in zip(source.elements, target.elements, strict=True):
        if want.bits:
            bits = _element(have, want, source_name, source_at)
            high = target_at + want.bits - 1
            yield f"    assign {target_name}[{high}:{target_at}] = {bits};"
        source_at += have.bits
        target_at += want.bits


def _element(have: FixedPoint, want: FixedPoint, name: str, at: int) -> str:
    """Return a number of one type as another type holds it, from the highest bit to the lowest."""
    if have.bits == 0:
        return f"{want.bits}'b0"
    below = max(want.fraction - have.fraction, 0)  # zeros behind the last digit
    drop = max(have.fraction - want.fraction, 0)  # digits that are not wanted
    kept = min(have.bits - drop, want.bits - below)
    above = want.bits - below - kept
    sign = f"{name}[{at + have.bits - 1}]"
    parts = []
    if above > 0:
        parts.append(f"{{{above}{{{sign}}}}}" if have.signed else f"{above}'b0")
    if kept > 0:
        parts.append(f"{name}[{at + drop + kept - 1}:{at + drop}]")
    if below > 0:
        parts.append(f"{below}'b0")
    return parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}"
