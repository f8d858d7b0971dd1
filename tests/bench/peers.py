"""The peers' environment: made once, below `.bench`, and kept."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".bench"
REQUIREMENTS = ROOT / "tests" / "requirements.txt"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # the package index's own wheel brings 4 GB for GPUs
NEEDED = ("numpy", "scipy", "pandas", "pyarrow", "h5py", "safetensors", "psutil", "tqdm")
PEERS = {  # what `import` calls it: what pip calls it, in the versions that `make test` has, where it has them
    "keras": ("keras", "tensorflow-cpu" if os.uname().machine == "x86_64" else "tensorflow"),
    "openvino": ("openvino", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "torch": ("torch==2.13.0+cpu", "--extra-index-url", CPU_WHEELS),
}


@dataclass(frozen=True)
class Peers:
    """An interpreter and what is missing in its environment."""

    python: Path
    missing: dict[str, str]  # module: why


def peers() -> Peers:
    """The environment, made if it is not there; what cannot be installed or imported is missing."""
    python = FOLDER / "peers" / "bin" / "python"
    if not python.exists():
        print(f"making {python.parents[1].relative_to(ROOT)} for the peers ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        _install(python, *NEEDED)
        for wanted in PEERS.values():
            _install(python, *wanted)
    missing = {}
    for module in PEERS:
        done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, text=True)
        if done.returncode:
            missing[module] = done.stderr.strip().splitlines()[-1]
    return Peers(python, missing)


def versions(python: Path, modules: list[str]) -> str:
    """'keras 3.13.2, ...' of an environment."""
    code = "import sys\nfrom importlib.metadata import version\nprint(', '.join(f'{m} {version(m)}' for m in sys.argv[1:]))"
    return subprocess.run([python, "-c", code, *modules], capture_output=True, text=True).stdout.strip()


def _install(python: Path, *wanted: str) -> None:
    """A failure shows as a missing peer later."""
    started = time.monotonic()
    pins = [] if "torch" in wanted[0] else ["--constraint", str(REQUIREMENTS)]
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *pins, *wanted], capture_output=True, text=True)
    if done.returncode:
        print(f"{wanted[0]}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    print(f"{wanted[0]}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
