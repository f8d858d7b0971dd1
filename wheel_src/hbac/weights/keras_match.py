"""Whether the network of a Keras file is ours: every layer, its arguments and connections, from the input to the end."""

from hbac.errors import WeightsError, brief
from hbac.network.graph import Graph, Layer
from hbac.network.settings import PROBABILITIES
from hbac.weights.saved_network import SavedNetwork, Step


def names_of_ours(graph: Graph, saved: SavedNetwork, any_size: bool = False) -> dict[str, str]:
    """Our name of each of the file's layers; its own names and the order in which it lists layers do not matter.

    Args:
        graph: our network, without dropout.
        saved: the file's. It may end in the logits instead of their softmax.
        any_size: whether its images may have another height and width.

    Raises:
        WeightsError: the first place that differs.
    """
    theirs = {graph.layers[0].name: saved.input}
    _check_input(graph, saved, any_size)
    waiting = {name: step for name, step in saved.steps.items() if name != saved.input}
    last = saved.input
    for layer in graph.layers[1:]:
        if layer.name == PROBABILITIES and not waiting and saved.output == last:
            break  # logits
        step = _equal_step(layer, [theirs[name] for name in layer.inputs], waiting)
        theirs[layer.name] = last = step.name
        del waiting[step.name]
    for more in waiting.values():
        raise WeightsError(f"expected nothing beside {graph.name}, received {_described(more)}")
    if saved.output != last:
        raise WeightsError(f"expected the answer of {brief(last)}, received that of {brief(saved.output)}")
    return {step: name for name, step in theirs.items()}


def _check_input(graph: Graph, saved: SavedNetwork, any_size: bool) -> None:
    expected, received = tuple(graph.layers[0]["batch_shape"][1:]), saved.input_shape
    judged = slice(-1, None) if any_size else slice(None)  # the channels alone, or all
    pairs = zip(received[judged], expected[judged], strict=False)
    if len(expected) != len(received) or any(theirs not in (None, ours) for theirs, ours in pairs):
        raise WeightsError(
            f"layer {brief(saved.input)}: expected input_shape {list(expected)}, received {brief(list(received))}"
        )


def _equal_step(layer: Layer, inputs: list[str], waiting: dict[str, Step]) -> Step:
    candidates = [step for step in waiting.values() if sorted(step.inputs) == sorted(inputs) and not step.layer.shares]
    for step in candidates:
        if step.kind == layer.kind and not _differences(layer, step):
            return step
    expected = f"{layer.kind} as our {layer.name} behind {' and '.join(map(brief, inputs))}"
    for step in candidates:
        if step.kind == layer.kind:
            raise WeightsError(f"layer {brief(step.name)}: expected {expected}, with {_differences(layer, step)}")
    received = ", ".join(map(_described, candidates[:4])) or "none"
    raise WeightsError(f"expected {expected}, received {received}")


def _differences(layer: Layer, step: Step) -> str:
    return ", ".join(
        f"{name} {layer[name]!r}, received {brief(value)}"
        for name, value in step.arguments.items()
        if name != "dtype" and value != layer[name]
    )


def _described(step: Step) -> str:
    return (
        f"{step.kind} {brief(step.name)} {brief(step.arguments, quote=False)}"
        if step.arguments
        else f"{step.kind} {brief(step.name)}"
    )
