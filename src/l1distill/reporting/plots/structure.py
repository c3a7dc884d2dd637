"""The plot of what a student was left with: nodes of each layer by epoch, and features by name."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import PALETTE, canvas, save

if TYPE_CHECKING:
    from l1distill.compression.structure import KeptStructure

_ROWS = 20
"""Names of features below one another."""


def draw_structure(kept: "KeptStructure", folder: Path) -> Picture:
    """Draw nodes by layer, and the names of the features, into ``folder/plots/structure.png``.

    Nodes are lines over the epochs, or bars where they do not change.
    """
    nodes, by_epoch, features = kept.nodes, kept.nodes_by_epoch, kept.features
    figure, (ax, *others) = canvas(1 if features is None else 2)
    if len(by_epoch):
        epochs = np.arange(1, len(by_epoch) + 1)
        for at, ((name, (left, of)), line) in enumerate(
            zip(nodes.items(), np.transpose(by_epoch), strict=True)
        ):
            color = PALETTE[at % len(PALETTE)]
            ax.step(epochs, line, where="post", color=color, label=f"{name}: {left} of {of}")
        ax.set(xlabel="epoch", ylabel="nodes that are on", ylim=(0, None))
        ax.legend(frameon=False)
    else:
        ax.bar(list(nodes), [of for _, of in nodes.values()], color=PALETTE[5], label="all")
        ax.bar(list(nodes), [left for left, _ in nodes.values()], color=PALETTE[0], label="left")
        ax.set(ylabel="nodes")
        ax.legend(frameon=False)
    if features is not None:
        (ax,) = others
        ax.set_axis_off()
        ax.set_title(f"{len(features)} of {kept.of_features} features are used")
        columns = -(-len(features) // _ROWS)
        for number, name in enumerate(features):
            x, y = (number // _ROWS) / columns, 1.0 - (number % _ROWS + 1) / (_ROWS + 1)
            ax.text(x, y, name, transform=ax.transAxes, fontsize=8 if columns < 3 else 6)
    path = folder / FOLDER / "structure.png"
    save(figure, path)
    return Picture(caption="Nodes and features that the student was left with", path=path)
