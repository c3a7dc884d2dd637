"""The same bytes on every x86-64 processor with AVX2.

Other processors are acted: by fewer cores, and by an environment that has the libraries choose
other code. ``python benchmarks/processors.py`` computes the same on an emulated processor.
"""

import os
from pathlib import Path

from benchmarks.processors import BYTES, ELSEWHERE, finish, start
from l1distill.core.processor import AVX2, AVX2_PINS, PINS, pin_processor_features, processor_flags


def test_a_training_gives_the_same_bytes_on_every_processor() -> None:
    pinned, free = start(True, ELSEWHERE), start(False, ELSEWHERE)
    os.sched_setaffinity(pinned.pid, {min(os.sched_getaffinity(0))})  # before it counts its cores
    assert finish(pinned).bytes == BYTES
    assert finish(free).bytes != BYTES, "nothing was acted"


def test_pins_replace_what_the_environment_asks_for() -> None:
    environ = {"PATH": "/bin", "XLA_FLAGS": "--xla_dump_to=/tmp/x", **ELSEWHERE}
    pin_processor_features(environ, AVX2)
    pins = {**PINS, **AVX2_PINS}
    assert {name: environ[name] for name in pins} == pins
    assert environ["PATH"] == "/bin"
    assert environ["XLA_FLAGS"].startswith("--xla_dump_to=/tmp/x --xla_backend_extra_options=")
    assert "NPY_DISABLE_CPU_FEATURES" not in environ


def test_pinning_twice_changes_nothing() -> None:
    once: dict[str, str] = {}
    pin_processor_features(once, AVX2)
    twice = dict(once)
    pin_processor_features(twice, AVX2)
    assert twice == once


def test_libraries_are_not_told_to_use_what_the_processor_lacks() -> None:
    environ = {"NPY_ENABLE_CPU_FEATURES": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
    pin_processor_features(environ, {"avx"})
    assert not set(AVX2_PINS) & set(environ)


def test_a_system_that_does_not_describe_its_processor_has_no_flags(tmp_path: Path) -> None:
    assert processor_flags(tmp_path / "cpuinfo") == frozenset()
    (tmp_path / "cpuinfo").write_text("model name\t: x\nflags\t\t: fpu avx2 fma\n")
    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx2", "fma"}
