from pathlib import Path

from IPython.display import HTML

HTML(Path("report.html").read_text())
