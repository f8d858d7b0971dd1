# The script above, run as it is in a process of its own.
import subprocess
import sys

with subprocess.Popen(
    [sys.executable, "SCRIPT"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
) as run:
    for line in run.stdout:
        print(line, end="")
if run.returncode:
    raise RuntimeError("no OUTPUT was written; the lines above say why")
