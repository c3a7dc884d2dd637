"""The emulator as a shared library of CMSSW, with the interface of hls4mlEmulatorExtras.

CMSSW loads the networks of its trigger (AXOL1TL, CICADA, TrainTagger) as libraries with the
functions ``create_model`` and ``destroy_model``, and hands data over as ``std::any``; see
https://github.com/cms-hls4ml/hls4mlEmulatorExtras.
"""

from importlib import resources
from pathlib import Path

from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint

SOURCES = ("Makefile", "hls4ml_emulator.h", "model.cpp", "replay.cpp")
"""The same for every network; what differs between networks is in :data:`TYPES`."""
TYPES = "types.h"
LIBRARY = "l1distill_model.so"
PRODUCTS = (LIBRARY, "replay")
"""What the Makefile builds beside the sources; the library may get any name that ends in .so."""

_TYPES = """\
// Written by l1distill: the numbers that go in and come out, in the order of ../metadata.json.
#ifndef L1DISTILL_TYPES_H
#define L1DISTILL_TYPES_H

#include "ap_fixed.h"
#include "ap_int.h"

// The types of the caller, see the Makefile.
#ifndef L1DISTILL_INPUT_T
#define L1DISTILL_INPUT_T {input}
#endif
#ifndef L1DISTILL_RESULT_T
#define L1DISTILL_RESULT_T {result}
#endif
#ifndef L1DISTILL_SCORE_T
#define L1DISTILL_SCORE_T L1DISTILL_RESULT_T
#endif
#define L1DISTILL_TEXT(...) #__VA_ARGS__
#define L1DISTILL_NAME(...) L1DISTILL_TEXT(__VA_ARGS__)

typedef L1DISTILL_INPUT_T input_t;
typedef L1DISTILL_RESULT_T result_t;
typedef L1DISTILL_SCORE_T score_t;

static const char *const INPUT_NAME = L1DISTILL_NAME(L1DISTILL_INPUT_T);
static const char *const RESULT_NAME = L1DISTILL_NAME(L1DISTILL_RESULT_T);
static const int N_INPUT = {inputs}, N_OUTPUT = {outputs};

// What an integer code of 1 in ../vectors stands for.
static const double INPUT_UNITS[N_INPUT] = {{{units}}};
static const double OUTPUT_UNIT = {unit!r};

#endif
"""


def write_cmssw_library(emulator: Emulator, folder: Path) -> None:
    """Write the sources of the library for CMSSW, which includes those of the emulator beside it.

    Args:
        emulator: gives numbers and types of inputs and outputs.
        folder: where to write; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = resources.files("l1distill.firmware.emulator") / "cmssw_sources"
    for name in SOURCES:
        (folder / name).write_bytes((sources / name).read_bytes())
    steps = [2.0**exponent * emulator.input_type.step for exponent in emulator.exponents]
    text = _TYPES.format(
        input=input_type(emulator),
        result=result_type(emulator),
        inputs=emulator.inputs,
        outputs=emulator.logic.shape[1],
        units=", ".join(map(repr, steps)),
        unit=emulator.output_type.step,
    )
    (folder / TYPES).write_text(text, encoding="utf-8")


def input_type(emulator: Emulator) -> str:
    """Return the C++ type that holds every input, rounded and clipped as the input ports do."""
    fixed_type, exponents = emulator.input_type, emulator.exponents
    fraction = fixed_type.fraction - min(exponents)
    integer = fixed_type.integer + max(exponents)
    wide = FixedPoint(
        signed=fixed_type.signed,
        integer=integer,
        fraction=fraction,
        rounding=fixed_type.rounding,
        overflow=fixed_type.overflow,
    )
    return wide.cpp


def result_type(emulator: Emulator) -> str:
    """Return the C++ type of the results."""
    return emulator.output_type.cpp
