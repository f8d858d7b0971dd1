"""Five full-width folds on a test folder, two of them .keras files: python tests/bench/full_width.py TEST_DIR

Prints the run's closing line, the time until the network is ready, and the peak memory of the whole process. The
weights are random: this measures the machinery, not the answers.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # tests/, for helpers_folds

from helpers_folds import write_random_folds

FOLDS, EXPORTED = 5, 2


def main(test_dir: Path) -> None:
    hbac = [sys.executable, "-m", "hbac"]
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_random_folds(Path(folder), width=64, folds=FOLDS)
        files = sorted(manifest.parent.glob("weights/*.safetensors"))
        for fold in range(EXPORTED):
            files[fold] = Path(folder) / f"best_model{fold}.keras"
            command = [*hbac, "weights", "export", str(manifest), str(files[fold]), "--fold", str(fold)]
            subprocess.run(command, check=True, capture_output=True)
        mixed, output = Path(folder) / "mixed.json", Path(folder) / "submission.csv"
        command = [*hbac, "weights", "manifest", *map(str, files), "--output", str(mixed), "--width", "64"]
        subprocess.run([*command, "--preprocessing", "three-zooms-v1"], check=True, capture_output=True)
        command = [*hbac, "predict", "--test-dir", str(test_dir), "--manifest", str(mixed), "--output", str(output)]
        done = subprocess.run([*command, "--quiet"], check=True, capture_output=True, text=True)
        report = json.loads((Path(folder) / "submission_report.json").read_text())
    print(done.stdout.splitlines()[-1].replace(folder, "..."))
    print(f"network ready after {report['seconds_until_network_ready']:.1f} s")
    print(f"peak memory {report['peak_memory_mb']} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
