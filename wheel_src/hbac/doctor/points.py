"""What `hbac doctor` says: points, each ok, a note or a fault."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hbac.errors import HbacError, one_line

OK, NOTE, FAULT = "ok", "note", "fault"


@dataclass(frozen=True)
class Point:
    """One thing that a run needs: its name, how it is, what was found and what to do."""

    name: str
    state: str  # OK, NOTE: a run does without, FAULT: a run would end, or answer less than it could
    text: str

    def line(self) -> str:
        """The point on one line."""
        return f"{self.state:<5} {self.name}: {self.text}"


def asked(name: str, ask: Callable[[], Iterator[Point]]) -> Iterator[Point]:
    """The points of a question; what a run would end with is a fault."""
    try:
        yield from ask()
    except (HbacError, OSError) as error:
        yield Point(name, FAULT, str(error) if isinstance(error, HbacError) else one_line(error))
