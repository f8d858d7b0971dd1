"""Which engine computes the network."""

import importlib.util
import shutil

from hbac.engine import Engine, TensorFlowEngine
from hbac.openvino_engine import OpenVinoEngine
from hbac.resnet import NetworkSettings

AUTO = "auto"
BY_NAME: dict[str, type[TensorFlowEngine] | type[OpenVinoEngine]] = {
    "tensorflow": TensorFlowEngine,
    "openvino": OpenVinoEngine,
}
ENGINES = (AUTO, *BY_NAME)


def make_engine(name: str, settings: NetworkSettings, batch_size: int | None = None) -> Engine:
    """An engine by name; `auto` takes OpenVINO where it is installed and no GPU is there, else TensorFlow.

    Raises:
        HbacError: what it needs is not installed.
    """
    if name == AUTO:
        name = "openvino" if importlib.util.find_spec("openvino") and not shutil.which("nvidia-smi") else "tensorflow"
    return BY_NAME[name](settings, batch_size)
