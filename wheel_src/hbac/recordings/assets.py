"""Pages with a script of the package's own, which the browser lets neither load anything nor run another script."""

import base64
import hashlib
from importlib import resources

from hbac.pages import whole_page


def asset(name: str) -> str:
    """The text of a file of this folder."""
    return (resources.files("hbac.recordings") / name).read_text("utf-8")


def safe_page(title: str, style: str, body: str, script: str, data: str = "") -> bytes:
    """A page whose policy forbids all addresses and all scripts but its own.

    Args:
        title: any text.
        style: CSS.
        body: HTML of the main part.
        script: it runs when the body is there.
        data: JSON for it, in an element of the id `data`; any text may be in it.
    """
    harmless = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    kept = f'<script type="application/json" id="data">{harmless}</script>' if data else ""
    return whole_page(title, style, f"<main>{body}</main>{kept}<script>{script}</script>", _policy(script))


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'
