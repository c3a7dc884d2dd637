"""The same bytes on every x86-64 processor with AVX2: what libraries may use of the one they find.

Numerical libraries look at the processor when they start and choose their code by what they find:
the width of its vectors, the size of its caches, the number of its cores. Each choice adds the
same numbers in another order, and the last bit of a sum follows. A training turns that bit into
other weights within an epoch. :func:`pin_processor_features` takes the choice away from them.
"""

from collections.abc import Collection, MutableMapping
from pathlib import Path

THREADS = 1
"""Threads of TensorFlow and OpenBLAS. A sum that threads share is grouped by their number, which is
that of the cores otherwise. Networks of this size are hardly faster with more."""

AVX2 = frozenset({"avx", "avx2", "f16c", "fma", "sse4_2"})
"""What the bytes are promised for, as Linux names it."""

PINS = {
    # Its operations are used by default where the processor has AVX512-VNNI or newer.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # Matrix products by oneDNN's kernels: generated for the processor, blocked by its caches.
    # Eigen's own are compiled once.
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0",
    # What calls oneDNN nevertheless, such as the gradient of a convolution.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
}
"""Environment variables with the value that gives the same bytes everywhere."""

AVX2_PINS = {
    # Told to use what is not there, OpenBLAS dies of an illegal instruction.
    "OPENBLAS_CORETYPE": "Haswell",
    # Beyond its baseline; what NumPy is not told to use it leaves, and it refuses to start with
    # what is not there. A list of what to leave would grow with every new processor.
    "NPY_ENABLE_CPU_FEATURES": "SSSE3 SSE41 POPCNT SSE42 AVX F16C FMA3 AVX2",
}
"""The same, where the processor has AVX2."""

_XLA_OPTIONS = ",".join(
    (
        "-vectorize-loops=false",  # LLVM: a sum is as wide as the processor's vectors
        "xla_cpu_disable_slp_vectorizer",
        "xla_cpu_optimize_for_size",  # XLA's own vectorized reductions, likewise
    )
)


def pin_processor_features(
    environ: MutableMapping[str, str], processor: Collection[str] | None = None
) -> None:
    """Keep numerical libraries from choosing their code by the processor they run on.

    To be called with ``os.environ`` before NumPy or TensorFlow is imported: they read these
    variables once. Child processes inherit them. Values that are there already are replaced:
    shells of clusters export thread counts as a matter of course, and weights that follow from a
    forgotten variable are what this function is to prevent. Of ``XLA_FLAGS`` everything else is
    kept.

    Args:
        environ: the environment, changed in place.
        processor: instruction sets of the processor as Linux names them; read from the system
            where it is None.
    """
    if processor is None:
        processor = processor_flags()
    environ.update(PINS)
    option = f"--xla_backend_extra_options={_XLA_OPTIONS}"
    flags = environ.get("XLA_FLAGS", "").split()
    environ["XLA_FLAGS"] = " ".join([*(flag for flag in flags if flag != option), option])
    environ.pop("NPY_DISABLE_CPU_FEATURES", None)  # NumPy refuses to have both
    for name, value in AVX2_PINS.items():
        environ.pop(name, None)
        if AVX2.issubset(processor):
            environ[name] = value


def use_processor_freely(environ: MutableMapping[str, str]) -> None:
    """Let TensorFlow use all that the processor has, on one thread: several times as fast.

    For a process whose numbers go nowhere to the byte, before it imports TensorFlow.

    Args:
        environ: the environment, changed in place.
    """
    for name in ("TF_ENABLE_ONEDNN_OPTS", "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"):
        environ.pop(name, None)
    environ.pop("ONEDNN_MAX_CPU_ISA", None)
    option = f"--xla_backend_extra_options={_XLA_OPTIONS}"
    flags = environ.get("XLA_FLAGS", "").split()
    environ["XLA_FLAGS"] = " ".join(flag for flag in flags if flag != option)


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Read the instruction sets of the processor as Linux names them; none if it does not say.

    Args:
        cpuinfo: the file in which the kernel says it.
    """
    try:
        with cpuinfo.open(errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(flags.partition(":")[2].split())
