"""Colors and labels of the anomaly signals in plots and tables."""

from l1distill.reporting.plots.style import PALETTE, color_of
from l1distill.tasks.anomaly.events import SIGNALS

COLORS = dict(zip(SIGNALS, PALETTE, strict=False))
"""One color for each published signal."""
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


def color(signal: str) -> str:
    """Return the color of a signal; signals that users brought share the rest of the palette."""
    return COLORS.get(signal) or color_of(signal, PALETTE[len(SIGNALS) :])


def label(signal: str) -> str:
    """Return a signal's label in a plot."""
    return LABELS.get(signal, signal.replace("_", " "))


def plain_name(signal: str) -> str:
    """Return a signal's name in a table."""
    return SIGNAL_NAMES.get(signal, signal)
