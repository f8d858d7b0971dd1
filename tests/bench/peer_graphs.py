"""ResNet50 from folded tensors, told once: as an ONNX graph, in eager PyTorch, and as a count of multiply-adds."""

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hbac.network.resnet import HEAD, STAGES, NetworkSettings, Tensors, shapes


class Operations(Protocol):
    """What a network is written in. `name` finds the tensors `name/kernel` and `name/bias`."""

    def conv(self, x: Any, name: str, stride: int, padding: int) -> Any: ...
    def relu(self, x: Any) -> Any: ...
    def add(self, x: Any, y: Any) -> Any: ...
    def pool(self, x: Any) -> Any: ...
    def mean(self, x: Any) -> Any: ...
    def dense(self, x: Any, name: str) -> Any: ...


def network(to: Operations, x: Any) -> Any:
    """Image to logits, as `hbac.network.resnet.build` does, without normalisation."""

    def block(x: Any, name: str, stride: int, project: bool) -> Any:
        shortcut = to.conv(x, f"{name}_0_conv", stride, 0) if project else x
        x = to.relu(to.conv(x, f"{name}_1_conv", stride, 0))
        x = to.relu(to.conv(x, f"{name}_2_conv", 1, 1))
        return to.relu(to.add(to.conv(x, f"{name}_3_conv", 1, 0), shortcut))

    x = to.pool(to.relu(to.conv(x, "conv1_conv", 2, 3)))
    for number, (_, blocks, stride) in enumerate(STAGES, start=2):
        for at in range(1, blocks + 1):
            x = block(x, f"conv{number}_block{at}", stride if at == 1 else 1, at == 1)
    return to.dense(to.mean(x), HEAD)


class Onnx:
    """Writes nodes; values are their names."""

    def __init__(self, tensors: Tensors):
        self._tensors = tensors
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def write(self, path: Path, settings: NetworkSettings, batch: int | str = 1) -> None:
        """A file: `image` (batch, 400, 300, 3) to `logits` (batch, 6)."""
        import onnx
        from onnx import TensorProto, helper

        logits = network(self, self._node("Transpose", "image", perm=[0, 3, 1, 2]))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *settings.input_shape])
        out = helper.make_tensor_value_info(logits, TensorProto.FLOAT, [batch, settings.classes])
        graph = helper.make_graph(self._nodes, "resnet50", [image], [out], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, str(path))

    def conv(self, x: str, name: str, stride: int, padding: int) -> str:
        kernel = self._constant(f"{name}/kernel", self._tensors[f"{name}/kernel"].transpose(3, 2, 0, 1))
        bias = self._constant(f"{name}/bias", self._tensors[f"{name}/bias"])
        return self._node("Conv", x, kernel, bias, strides=[stride] * 2, pads=[padding] * 4)

    def relu(self, x: str) -> str:
        return self._node("Relu", x)

    def add(self, x: str, y: str) -> str:
        return self._node("Add", x, y)

    def pool(self, x: str) -> str:
        return self._node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)

    def mean(self, x: str) -> str:
        return self._node("Flatten", self._node("GlobalAveragePool", x))

    def dense(self, x: str, name: str) -> str:
        kernel = self._constant(f"{name}/kernel", self._tensors[f"{name}/kernel"])
        return self._node("Gemm", x, kernel, self._constant(f"{name}/bias", self._tensors[f"{name}/bias"]))

    def _node(self, kind: str, *inputs: str, **settings: Any) -> str:
        from onnx import helper

        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name, **settings))
        return name

    def _constant(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


class Torch:
    """Computes at once, channels last."""

    def __init__(self, tensors: Tensors):
        import torch

        self._tensors = {}
        for name, tensor in tensors.items():
            value = torch.from_numpy(tensor.T.copy() if tensor.ndim == 2 else tensor.copy())
            if tensor.ndim == 4:
                value = value.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            self._tensors[name] = value

    def conv(self, x: Any, name: str, stride: int, padding: int) -> Any:
        from torch.nn.functional import conv2d

        return conv2d(x, self._tensors[f"{name}/kernel"], self._tensors[f"{name}/bias"], stride, padding)

    def relu(self, x: Any) -> Any:
        return x.relu_()

    def add(self, x: Any, y: Any) -> Any:
        return x.add_(y)

    def pool(self, x: Any) -> Any:
        from torch.nn.functional import max_pool2d

        return max_pool2d(x, 3, 2, 1)

    def mean(self, x: Any) -> Any:
        return x.mean((2, 3))

    def dense(self, x: Any, name: str) -> Any:
        from torch.nn.functional import linear

        return linear(x, self._tensors[f"{name}/kernel"], self._tensors[f"{name}/bias"])


class Count:
    """Counts multiply-adds; values are shapes (height, width, channels)."""

    def __init__(self, shape_of: dict[str, tuple[int, ...]]):
        self._shapes = shape_of
        self.multiply_adds = 0

    def conv(self, x: tuple[int, ...], name: str, stride: int, padding: int) -> tuple[int, ...]:
        kernel = self._shapes[f"{name}/kernel"]  # (height, width, in, out)
        rows, columns = ((size + 2 * padding - side) // stride + 1 for size, side in zip(x[:2], kernel))
        self.multiply_adds += rows * columns * math.prod(kernel)
        return rows, columns, kernel[-1]

    def relu(self, x: tuple[int, ...]) -> tuple[int, ...]:
        return x

    def add(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        if x != y:
            raise ValueError(f"expected equal shapes, received {x} and {y}")
        return x

    def pool(self, x: tuple[int, ...]) -> tuple[int, ...]:
        return (x[0] - 1) // 2 + 1, (x[1] - 1) // 2 + 1, x[2]

    def mean(self, x: tuple[int, ...]) -> tuple[int, ...]:
        return (x[2],)

    def dense(self, x: tuple[int, ...], name: str) -> tuple[int, ...]:
        self.multiply_adds += math.prod(self._shapes[f"{name}/kernel"])
        return (self._shapes[f"{name}/bias"][0],)


def multiply_adds(settings: NetworkSettings) -> int:
    """Of one image through one network."""
    count = Count(shapes(settings))
    height, width, channels = settings.input_shape
    assert height is not None
    if network(count, (height, width, channels)) != (settings.classes,):
        raise ValueError("expected as many logits as classes")
    return count.multiply_adds
