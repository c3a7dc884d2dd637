"""Ragged gathers: row numbers of lists of different lengths, without a loop over the lists.

``awkward`` does the same, and takes longer for the small batches of the generator; the functions
here return plain index arrays, with which every column of a record is gathered alike.
"""

import numpy as np

from l1distill.simulation.columns import IntArray


def rows_of_entries(first: IntArray, entry: IntArray) -> tuple[IntArray, IntArray]:
    """List all rows of some lists that stand one behind the other in flat arrays.

    Args:
        first: (n_lists + 1,) first row of each list; list i has ``first[i]`` to ``first[i + 1]``.
        entry: (n,) the lists to gather, in any order, repeated or not.

    Returns:
        The row numbers, and for each of them the index into ``entry`` that it belongs to.
    """
    return _expand(first[entry], first[entry + 1] - first[entry])


def rows_of_events(event: IntArray, events: IntArray) -> tuple[IntArray, IntArray]:
    """List all rows of some events in a record that is sorted by event.

    With the events of other objects as ``events``, this pairs each of them with all rows of its
    event.

    Args:
        event: (m,) event of each row, ascending.
        events: (n,) events, in any order, repeated or not.

    Returns:
        The row numbers, and for each of them the index into ``events`` that it belongs to.
    """
    first = np.searchsorted(event, events, side="left")
    return _expand(first, np.searchsorted(event, events, side="right") - first)


def _expand(first: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    owner = np.repeat(np.arange(len(counts)), counts)
    start = np.cumsum(counts) - counts
    return np.arange(len(owner)) - start[owner] + first[owner], owner
