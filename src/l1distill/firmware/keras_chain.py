"""Reads how the layers of a Keras model follow one another; what is no chain is refused."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from l1distill.errors import InputError

PASS_THROUGH = ("InputLayer", "Dropout")
"""Classes that do nothing when the model only predicts."""


class Chain(NamedTuple):
    """The layers of a model in the order of computation, without those that do nothing."""

    shape: tuple[int, ...]
    """What goes in, without events."""
    trunk: tuple[Any, ...]
    heads: tuple[tuple[Any, ...], ...]
    """Chains that all start at the end of the trunk; their results stand side by side."""


def refuse(layer: Any, reason: str) -> NoReturn:
    """Refuses a layer by its name, its class and the reason.

    Raises:
        InputError: always.
    """
    raise InputError(f"layer {layer.name} ({type(layer).__name__}): {reason}")


def read_chain(model: Any) -> Chain:
    """Reads a model that is a chain of layers, or ends in several chains.

    The model's configuration is asked, not the layers' own nodes: a layer that is shared with
    another model has nodes of that one too.

    Args:
        model: a Keras 2 model, whose layers may be such models themselves. Several heads are
            several outputs, or meet in a Concatenate at the end.

    Returns:
        Its layers.

    Raises:
        InputError: it is something else.
    """
    if len(model.inputs) != 1:
        refuse(model.layers[0], "only models with one input are supported")
    shape = model.input_shape
    if any(size is None for size in shape[1:]):
        refuse(model.layers[0], f"input shape {shape} is not fixed")
    followers, ends = _followers(model)
    trunk: list[str] = [model.layers[0].name]
    while len(followers[trunk[-1]]) == 1:
        trunk.append(followers[trunk[-1]][0])
    heads = [_head(start, followers) for start in followers[trunk[-1]]]
    layers = {layer.name: layer for layer in model.layers}
    if len(ends) > 1 or heads:
        last = [head[-1] for head in heads]
        if sorted(last) != sorted(ends):
            refuse(layers[trunk[-1]], "only chains are supported, with several ends at most")
        heads.sort(key=lambda head: ends.index(head[-1]))
    return Chain(
        tuple(int(size) for size in shape[1:]),
        tuple(_expand(layers[name] for name in trunk)),
        tuple(tuple(_expand(layers[name] for name in head)) for head in heads),
    )


def _followers(model: Any) -> tuple[dict[str, list[str]], list[str]]:
    """Returns which layers take a layer's result, and the layers whose results come out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras' constraints are not Keras' own
        config = model.get_config()
    names = [layer.name for layer in model.layers]
    layers = {layer.name: layer for layer in model.layers}
    if "output_layers" not in config:  # a Sequential model
        following = dict(zip(names, ([name] for name in names[1:]), strict=False))
        return following | {names[-1]: []}, [names[-1]]
    followers: dict[str, list[str]] = {name: [] for name in names}
    ends = [output[0] for output in config["output_layers"]]
    for entry in config["layers"]:
        sources = [source[0] for node in entry["inbound_nodes"] for source in node]
        if entry["class_name"] == "Concatenate" and [entry["name"]] == ends:
            if entry["config"]["axis"] not in (-1, len(model.output_shape) - 1):
                refuse(layers[entry["name"]], "joins another axis than the last")
            ends = sources
            continue
        if len(sources) > 1:
            refuse(layers[entry["name"]], "has several inputs; only chains are supported")
        for source in sources:
            followers[source].append(entry["name"])
    return followers, ends


def _head(start: str, followers: dict[str, list[str]]) -> list[str]:
    head = [start]
    while len(followers[head[-1]]) == 1:
        head.append(followers[head[-1]][0])
    return head


def _expand(layers: Iterator[Any]) -> Iterator[Any]:
    for layer in layers:
        if hasattr(layer, "layers"):  # a model within the model
            inner = read_chain(layer)
            if inner.heads:
                refuse(layer, "has several ends inside another model")
            yield from inner.trunk
        elif type(layer).__name__ not in PASS_THROUGH:
            yield layer
