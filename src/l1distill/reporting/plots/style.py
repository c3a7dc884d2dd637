"""How every figure looks, and how it becomes a file that is the same each time."""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.tasks.anomaly.events import SIGNALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = dict(zip(SIGNALS, ("#3f90da", "#bd1f01", "#a96b59", "#832db6"), strict=True))
"""One color a signal everywhere, from the palette of Petroff (arXiv:2107.02270)."""
BACKGROUND = "#94a4a2"
SIGNAL_NAMES = {
    "lq_btau": "LQ → bτ",
    "a_4l": "A → 4ℓ",
    "h0_tautau": "h⁰ → ττ",
    "hch_taunu": "h± → τν",
}
"""The signals as plain text."""
LABELS = {
    "lq_btau": r"LQ $\to b\tau$",
    "a_4l": r"A $\to 4\ell$",
    "h0_tautau": r"h$^0 \to \tau\tau$",
    "hch_taunu": r"h$^\pm \to \tau\nu$",
}
"""The signals as matplotlib's mathematics."""

_OTHERS = ("#ffa90e", "#92dadd", "#e76300", "#717581", "#b9ac70")


def color(signal: str) -> str:
    """Returns the color of a signal; signals that users brought share the rest of the palette."""
    return COLORS.get(signal) or _OTHERS[zlib.crc32(signal.encode()) % len(_OTHERS)]


def label(signal: str) -> str:
    """Returns what a signal is called in a figure."""
    return LABELS.get(signal, signal.replace("_", " "))


def canvas(
    columns: int = 1, width: float = 6.0, height: float = 4.5
) -> "tuple[Figure, list[Axes]]":
    """Returns an empty figure with ``columns`` axes side by side; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, 1 + column) for column in range(columns)]
    for ax in axes:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: "Figure", path: Path) -> None:
    """Writes a PNG without version or date, so that equal figures are equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
