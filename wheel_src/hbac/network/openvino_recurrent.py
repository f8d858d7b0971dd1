"""Converters of recurrent kinds.

With the usual activations a layer is one of OpenVINO's sequences; with others a loop over steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from hbac.network.graph import Layer
from hbac.network.openvino_activations import ACTIVATIONS
from hbac.network.openvino_values import LAST, Conversion, Made, Value
from hbac.network.shape_rows import GATES

LSTM_ORDER: Final = (1, 0, 2, 3)  # OpenVINO's gates f, i, c, o among Keras's i, f, c, o; of a GRU both have z, r, h


class _Cell:
    """One direction of a layer: its settings, and its tensors as Keras has them."""

    def __init__(self, to: Conversion, layer: Layer, kind: str, prefix: str = ""):
        self.ops, self.layer, self.kind = to.ops, layer, kind
        self.units, self.gates = layer["units"], GATES[kind]
        self.kernel, self.recurrent, self.bias = (  # (in, gates * units), (units, gates * units)
            to.tensor(layer, f"{prefix}{part}") for part in ("kernel", "recurrent_kernel", "bias")
        )
        self.reset_after = kind == "GRU" and layer["reset_after"]
        if self.bias is None:
            self.bias = np.zeros((2, self.kernel.shape[1]) if self.reset_after else self.kernel.shape[1:], np.float32)
        self.constant = to.constant
        self.zeros = to.constant(np.zeros((1, self.units)))

    def run(self, x: Any, backwards: bool) -> tuple[Any, Any]:
        """x (1, steps, in) to the states of all steps, (1, steps, units), each at its step's place, and the last one."""
        usual = (self.layer["activation"], self.layer["recurrent_activation"]) == ("tanh", "sigmoid")
        return self._sequence(x, backwards) if usual else self._loop(x, backwards)

    def _sequence(self, x: Any, backwards: bool) -> tuple[Any, Any]:
        steps = self.ops.constant(np.array([x.get_output_shape(0)[1]]))
        kernels = (self._ordered(kernel.T) for kernel in (self.kernel, self.recurrent))
        tensors = (steps, *kernels, self._ordered(self._sequence_bias()))
        start, direction = self.ops.unsqueeze(self.zeros, np.array([1])), "reverse" if backwards else "forward"
        if self.kind == "GRU":
            after = bool(self.reset_after)
            node = self.ops.gru_sequence(x, start, *tensors, self.units, direction, linear_before_reset=after)
        else:
            node = self.ops.lstm_sequence(x, start, start, *tensors, self.units, direction)
        one = np.array([1])  # the direction
        return self.ops.squeeze(node.output(0), one), self.ops.squeeze(node.output(1), one)

    def _ordered(self, tensor: Any) -> Any:
        """(gates * units, ...) in OpenVINO's order, behind an axis for the direction."""
        if self.kind == "LSTM":
            tensor = tensor.reshape(self.gates, self.units, *tensor.shape[1:])[list(LSTM_ORDER)].reshape(tensor.shape)
        return self.constant(tensor[None])

    def _sequence_bias(self) -> Any:
        if not self.reset_after:
            return self.bias
        outer, inner = self.bias  # of kernel and recurrent kernel
        gates = 2 * self.units  # z and r take the sum
        return np.concatenate([(outer + inner)[:gates], outer[gates:], inner[gates:]])

    def _loop(self, x: Any, backwards: bool) -> tuple[Any, Any]:
        """A `TensorIterator`; its body has a step's inputs, projected before, and the states."""
        import openvino

        ops, one = self.ops, np.array([1])
        outer = self.bias[0] if self.reset_after else self.bias
        projected = ops.add(ops.matmul(x, self.constant(self.kernel), False, False), self.constant(outer))
        step = ops.parameter([1, 1, self.gates * self.units], np.float32)
        states = [ops.parameter([1, self.units], np.float32) for _ in range(2 if self.kind == "LSTM" else 1)]
        compute = self._lstm_step if self.kind == "LSTM" else self._gru_step
        following = compute(ops.squeeze(step, one), *states)
        place = ops.unsqueeze(following[0], one)
        loop = ops.tensor_iterator()
        loop.set_body(openvino.Model([*following, place], [step, *states], self.layer.name))
        way = (-1, -1, 1, 0) if backwards else (0, 1, 1, -1)  # start, stride, part, end
        loop.set_sliced_input(step, projected.output(0), *way, 1)
        for before, after in zip(states, following):
            loop.set_merged_input(before, self.zeros.output(0), after.output(0))
        last = loop.get_iter_value(following[0].output(0), -1)
        return loop.get_concatenated_slices(place.output(0), *way, 1), last

    def _gru_step(self, x: Any, h: Any) -> tuple[Any, ...]:
        """z * h + (1 - z) * new, as Keras's `GRUCell` (Cho et al. 2014, arXiv:1406.1078)."""
        ops, act, gate = self.ops, *self._activations()
        kernels = np.split(self.recurrent, self.gates, axis=1)
        biases = np.split(self.bias[1], self.gates) if self.reset_after else [np.zeros(self.units)] * self.gates

        def inner(state: Any, i: int) -> Any:
            product = ops.matmul(state, self.constant(kernels[i]), False, False)
            return ops.add(product, self.constant(biases[i]))

        x_z, x_r, x_h = self._split(x)
        z, r = gate(ops.add(x_z, inner(h, 0))), gate(ops.add(x_r, inner(h, 1)))
        recalled = ops.multiply(r, inner(h, 2)) if self.reset_after else inner(ops.multiply(r, h), 2)
        new = act(ops.add(x_h, recalled))
        return (ops.add(ops.multiply(z, h), ops.multiply(ops.subtract(np.float32(1), z), new)),)

    def _lstm_step(self, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
        """Output and carry, as Keras's `LSTMCell` (Hochreiter and Schmidhuber 1997)."""
        ops, act, gate = self.ops, *self._activations()
        i, f, new, o = self._split(ops.add(x, ops.matmul(h, self.constant(self.recurrent), False, False)))
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), act(new)))
        return ops.multiply(gate(o), act(c)), c

    def _split(self, x: Any) -> list[Any]:
        return list(self.ops.split(x, np.array(1), self.gates).outputs())

    def _activations(self) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        act, gate = (ACTIVATIONS[self.layer[name]] for name in ("activation", "recurrent_activation"))
        return lambda x: act(self.ops, x), lambda x: gate(self.ops, x)


def _recurrent(to: Conversion, layer: Layer, value: Value) -> Made:
    """Going backwards, Keras gives the states in the order in which it came by them."""
    states, last = _Cell(to, layer, layer.kind).run(value.last(), layer["go_backwards"])
    if not layer["return_sequences"]:
        return last, LAST
    if not layer["go_backwards"]:
        return states, LAST
    return to.ops.slice(states, *(np.array([number]) for number in (-1, np.iinfo(np.int64).min, -1, 1))), LAST


def _bidirectional(to: Conversion, layer: Layer, value: Value) -> Made:
    """The second cell goes backwards; its states lie beside those of the first at the same steps."""
    answers = []
    for prefix, backwards in (("forward_", False), ("backward_", True)):
        states, last = _Cell(to, layer, layer["layer"], prefix).run(value.last(), backwards)
        answers.append(states if layer["return_sequences"] else last)
    if layer["merge_mode"] == "concat":
        return to.ops.concat(answers, -1), LAST
    merged = (to.ops.multiply if layer["merge_mode"] == "mul" else to.ops.add)(*answers)
    return to.ops.divide(merged, np.float32(2)) if layer["merge_mode"] == "ave" else merged, LAST


RECURRENT: Final[Mapping[str, Callable[..., Made]]] = {
    **dict.fromkeys(("GRU", "LSTM"), _recurrent),
    "Bidirectional": _bidirectional,
}
