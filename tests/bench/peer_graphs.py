"""The peers' networks from our own graph and its folded tensors: as an ONNX file, in eager PyTorch; its multiply-adds."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from hbac.network.families import logits_graph
from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.padding import Padding, paddings
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import output_shapes, tensor_shapes


class Peer:
    """Computes or writes a folded graph: a method a kind of layer, `x` is what the layer before it gave."""

    def __init__(self, graph: Graph):
        self._graph, self.paddings = graph, paddings(graph)

    def run(self, image: Any) -> Any:
        """Image, channels first, to logits."""
        values, waiting = {self._graph.layers[0].name: image}, {n: len(u) for n, u in self._graph.users.items()}
        for layer in self._graph.layers[1:]:
            values[layer.name] = getattr(self, layer.kind)(layer, *(values[name] for name in layer.inputs))
            for name in layer.inputs:  # what nobody waits for is let go
                waiting[name] -= 1
                if not waiting[name]:
                    del values[name]
        return values[self._graph.layers[-1].name]

    def ZeroPadding2D(self, layer: Layer, x: Any) -> Any:
        """Nothing: the window behind it takes it over."""
        if any(map(any, self.paddings[layer.name])):
            raise ValueError(f"expected a padding that the layer behind takes over, received {layer.name}")
        return x


class Onnx(Peer):
    """Writes nodes; values are their names."""

    def __init__(self, graph: Graph, tensors: Tensors):
        super().__init__(graph)
        self._tensors = tensors
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def write(self, path: Path, settings: NetworkSettings, batch: int | str = 1) -> None:
        """A file: `image` (batch, *input_shape) to `logits` (batch, classes)."""
        import onnx
        from onnx import TensorProto, helper

        logits = self.run(self._node("Transpose", "image", perm=[0, 3, 1, 2]))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *settings.input_shape])
        out = helper.make_tensor_value_info(logits, TensorProto.FLOAT, [batch, settings.classes])
        graph = helper.make_graph(self._nodes, settings.family, [image], [out], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, str(path))

    def Conv2D(self, layer: Layer, x: str) -> str:
        kernel = self._constant(f"{layer.name}/kernel", self._tensors[f"{layer.name}/kernel"].transpose(3, 2, 0, 1))
        bias = self._constant(f"{layer.name}/bias", self._tensors[f"{layer.name}/bias"])
        pads = _begins_then_ends(self.paddings[layer.name])
        return self._node("Conv", x, kernel, bias, strides=list(layer["strides"]), pads=pads)

    def Activation(self, layer: Layer, x: str) -> str:
        return self._node(layer["activation"].capitalize(), x)

    def Add(self, layer: Layer, x: str, y: str) -> str:
        return self._node("Add", x, y)

    def MaxPooling2D(self, layer: Layer, x: str) -> str:
        size, strides = list(layer["pool_size"]), list(layer["strides"])
        pads = _begins_then_ends(self.paddings[layer.name])
        return self._node("MaxPool", x, kernel_shape=size, strides=strides, pads=pads)

    def GlobalAveragePooling2D(self, layer: Layer, x: str) -> str:
        return self._node("Flatten", self._node("GlobalAveragePool", x))

    def Dense(self, layer: Layer, x: str) -> str:
        names = (f"{layer.name}/kernel", f"{layer.name}/bias")
        return self._node("Gemm", x, *(self._constant(name, self._tensors[name]) for name in names))

    def _node(self, kind: str, *inputs: str, **settings: Any) -> str:
        from onnx import helper

        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name, **settings))
        return name

    def _constant(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


class Torch(Peer):
    """Computes at once, channels last; paddings are the same on both sides."""

    def __init__(self, graph: Graph, tensors: Tensors):
        import torch

        super().__init__(graph)
        self._torch = torch.nn.functional
        self._tensors = {}
        for name, tensor in tensors.items():
            value = torch.from_numpy(tensor.T.copy() if tensor.ndim == 2 else tensor.copy())
            if tensor.ndim == 4:
                value = value.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            self._tensors[name] = value

    def Conv2D(self, layer: Layer, x: Any) -> Any:
        kernel, bias = (self._tensors[f"{layer.name}/{part}"] for part in ("kernel", "bias"))
        return self._torch.conv2d(x, kernel, bias, layer["strides"], _begins(self.paddings[layer.name]))

    def Activation(self, layer: Layer, x: Any) -> Any:
        return {"relu": x.relu_}[layer["activation"]]()

    def Add(self, layer: Layer, x: Any, y: Any) -> Any:
        return y.add_(x)  # the shortcut comes first, and may be used again

    def MaxPooling2D(self, layer: Layer, x: Any) -> Any:
        return self._torch.max_pool2d(x, layer["pool_size"], layer["strides"], _begins(self.paddings[layer.name]))

    def GlobalAveragePooling2D(self, layer: Layer, x: Any) -> Any:
        return x.mean((2, 3))

    def Dense(self, layer: Layer, x: Any) -> Any:
        return self._torch.linear(x, self._tensors[f"{layer.name}/kernel"], self._tensors[f"{layer.name}/bias"])


def _begins(padding: Padding) -> tuple[int, int]:
    (top, bottom), (left, right) = padding
    if (top, left) != (bottom, right):
        raise ValueError(f"expected as much padding on both sides, received {padding}")
    return top, left


def _begins_then_ends(padding: Padding) -> list[int]:
    return [begin for begin, _ in padding] + [end for _, end in padding]


def multiply_adds(settings: NetworkSettings) -> int:
    """Of one image through one network: each value of a kernel once for each place that it is put on."""
    graph = logits_graph(settings)
    places, tensors = output_shapes(graph), tensor_shapes(graph)
    return sum(
        math.prod(places[layer.name][1:-1]) * math.prod(tensors[f"{layer.name}/kernel"])  # type: ignore[arg-type]
        for layer in graph.layers
        if f"{layer.name}/kernel" in tensors
    )
