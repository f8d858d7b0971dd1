"""How large each family of networks is: parameters and multiply-adds a record, on the input of its own preset.

    PYTHONPATH=wheel_src python tests/bench/families.py [--widths 64,16,8]

Nothing is built: shapes are computed from the graphs.
"""

import argparse
import math

from hbac.network.families import FAMILIES, logits_graph
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import output_shapes, tensor_shapes
from hbac.preprocessing.presets import PRESETS


def sizes(family: str, width: int) -> tuple[int, int, float]:
    """Parameters, those of them that training learns, and multiply-adds of kernels in thousand millions."""
    shape = PRESETS[FAMILIES[family].preset].shape
    graph = logits_graph(NetworkSettings(width=width, input_shape=shape, family=family))
    tensors, maps = tensor_shapes(graph), output_shapes(graph)
    counts = {name: math.prod(size) for name, size in tensors.items()}
    learnt = sum(count for name, count in counts.items() if "/moving_" not in name)
    products = 0
    for layer in graph.layers:
        places = math.prod(size for size in maps[layer.name][1:-1] if size)
        products += counts.get(f"{layer.name}/kernel", 0) * places
    return sum(counts.values()), learnt, products / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="64,16,8", help="[%(default)s]")
    widths = [int(width) for width in parser.parse_args().widths.split(",")]
    print("| network | width | parameters | learnt | multiply-adds a record, 10^9 |\n| --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        for width in widths:
            whole, learnt, products = sizes(family, width)
            print(f"| `{family}` | {width} | {whole:,} | {learnt:,} | {products:.2f} |")


if __name__ == "__main__":
    main()
