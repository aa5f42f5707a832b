"""Faults: what goes wrong, declared before the run, matched on the route and spent in order."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .routes import ROUTES


@dataclass
class Fault:
    """One thing that goes wrong on the nth call (counted from when it was added) of a route."""

    route: str
    nth: int = 1
    times: int = 1
    module: str | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    html: bool = False
    """A gateway's page instead of JSON."""
    cut_after: int | None = None
    """Bytes of the body that arrive before the connection ends."""
    reset: bool = False
    """The connection ends before an answer."""
    empty: bool = False
    """200 with an empty body."""
    truncate_json: bool = False
    """The body ends in the middle, with a length that says it is whole."""
    drip: float | None = None
    """Seconds between two bytes of the answer, its head included; `drip_body`: of the body alone."""
    drip_body: bool = False
    job_states: Sequence[str] | None = None
    """The states a Bulk Read job made by this call goes through."""
    corrupt_zip: str | None = None
    """truncated, two_members, not_zip, missing_row, extra_row, foreign_rows (and one row less),
    missing_column, null_id, text_id or no_header."""
    seen: int = 0

    @property
    def spent(self) -> bool:
        return self.times <= 0

    @property
    def replaces_answer(self) -> bool:
        return self.reset or self.html or self.empty or self.status is not None or self.body is not None


class Faults:
    """The faults of an org; a test ends with `unspent() == []`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, route: str, **options: Any) -> Fault:
        """`org.faults.add("GET /crm/v8/{module}", nth=2, status=429)`; an unknown route is an error."""
        if ROUTES and route not in {known.name for known in ROUTES}:
            raise ValueError(f"no route {route!r}: a fault there would never fire")
        fault = Fault(route, **options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, route: str, module: str | None) -> Fault | None:
        """Count this call for every fault of the route; give the first that is due."""
        due: Fault | None = None
        with self._lock:
            for fault in self._faults:
                if fault.route != route or fault.spent or fault.module not in (None, module):
                    continue
                fault.seen += 1
                if due is None and fault.seen >= fault.nth:
                    due = fault
            if due is not None:
                due.times -= 1
        return due

    def unspent(self) -> list[Fault]:
        return [fault for fault in self._faults if not fault.spent]
