"""The plot of a training: losses by epoch."""

from pathlib import Path

import numpy as np

from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import PALETTE, canvas, save
from l1distill.training.history import History


def draw_history(history: History, folder: Path, caption: str) -> Picture:
    """Draw training and validation loss against the epoch into ``folder/plots/history.png``."""
    figure, (ax,) = canvas()
    epochs = np.arange(1, len(history.loss) + 1)
    ax.plot(epochs, history.loss, label="training", color=PALETTE[0])
    ax.plot(epochs, history.validation_loss, label="validation", color=PALETTE[1])
    positive = min(*history.loss, *history.validation_loss) > 0.0
    ax.set(xlabel="epoch", ylabel="loss", yscale="log" if positive else "linear")
    ax.legend(frameon=False)
    path = folder / FOLDER / "history.png"
    save(figure, path)
    return Picture(caption=caption, path=path)
