"""What the shapes of layers are made of: axes, channels and windows, and the checks that they fit."""

from hbac.errors import InputError
from hbac.network.graph import Layer

Shape = tuple[int | None, ...]  # batch first; None is any size
TensorShapes = dict[str, tuple[int, ...]]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """What padding="same" puts before and behind, as TensorFlow does: an odd one goes behind."""
    whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return whole // 2, whole - whole // 2


def channels_of(layer: Layer, shape: Shape, axes: range) -> int:
    """The number of channels of an input with so many axes, batch among them."""
    channels = shape[-1] if len(shape) in axes else None
    if channels is None:
        counts = str(axes[0]) if len(axes) == 1 else f"{axes[0]} to {axes[-1]}"
        raise InputError(
            f"layer {layer.name}: expected an input of {counts} axes and a known number of channels, received {shape}"
        )
    return channels


def known(layer: Layer, shape: Shape, axes: int) -> int:
    """The number of channels of an input with exactly so many axes."""
    return channels_of(layer, shape, range(axes, axes + 1))


def all_known(layer: Layer, shape: Shape) -> tuple[int, ...]:
    """The sizes behind the batch."""
    sizes = tuple(size for size in shape[1:] if size is not None)
    if len(sizes) != len(shape) - 1:
        raise InputError(f"layer {layer.name}: expected an input of a known size, received {shape}")
    return sizes


def _windows(layer: Layer, size: int | None, kernel: int, stride: int) -> int | None:
    """How many places a window takes along one axis."""
    if size is None:
        return None
    count = (size - kernel) // stride + 1 if layer["padding"] == "valid" else -(-size // stride)
    if count < 1:
        raise InputError(f"layer {layer.name}: expected an input of {kernel} or more, received {size}")
    return count


def windowed(layer: Layer, shape: Shape, kernel: str, dilation: str | None = None) -> Shape:
    """The places of a layer's windows along the axes between batch and channels; `kernel` names their size."""
    steps = layer[dilation] if dilation else (1,) * len(layer[kernel])
    reach = [(size - 1) * step + 1 for size, step in zip(layer[kernel], steps)]
    return tuple(_windows(layer, *one) for one in zip(shape[1:-1], reach, layer["strides"]))
