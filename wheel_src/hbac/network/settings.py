"""What defines a network: its family and the numbers that each family's graph is made from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads these names, and answers --help without NumPy
    from hbac.network.graph import Graph

HEAD = "predictions"  # the layer of logits, in every family
PROBABILITIES = "probabilities"  # the softmax behind it, the last layer of every family
FULL_WIDTH = 64  # at which a family is the network of its paper or of `keras.applications`
RESNET50 = "resnet50"  # the family where none is stated
FAMILY_NAMES = (  # of `families.FAMILIES`, apart, so that a command line can list them without what makes them
    RESNET50,
    *(f"efficientnetv2-b{number}" for number in range(4)),
    "densenet121",
    "eeg1d",
)
AUTO, TENSORFLOW, OPENVINO = "auto", "tensorflow", "openvino"
ENGINES = (AUTO, TENSORFLOW, OPENVINO)  # that compute it; `auto` is one of the others


@dataclass(frozen=True)
class NetworkSettings:
    """Its width (64 is the full network, in every family), its head, its input and its family."""

    width: int = FULL_WIDTH
    classes: int = 6
    input_shape: tuple[int | None, ...] = (400, 300, 3)  # a height of None takes any
    dropout: float = 0.0
    family: str = RESNET50  # of `families.FAMILIES`

    def described(self) -> str:
        """For people."""
        return f"width {self.width}" if self.family == RESNET50 else f"{self.family} of width {self.width}"


@dataclass(frozen=True)
class ImportedNetwork:
    """A network that its own graph defines, and no family: what `hbac weights import` makes of any Keras model."""

    graph: "Graph"  # inputs to logits; sizes may be None, which `input_shape` says
    input_shape: tuple[int, ...]
    file: str = ""  # of the graph, relative to a manifest
    sha256: str = ""  # of that file

    def described(self) -> str:
        """For people."""
        return f"{len(self.graph.layers)} layers of {self.file}"


Network = NetworkSettings | ImportedNetwork
