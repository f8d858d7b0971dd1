import json
from pathlib import Path

import pandas as pd

submission = pd.read_csv("submission.csv")
report = json.loads(Path("submission_report.json").read_text())
print(len(submission), "rows:", report["status"])
for row in report["rows_not_answered_whole"][:20]:
    print(row)
submission.head(20)
