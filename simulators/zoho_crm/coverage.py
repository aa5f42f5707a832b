"""The tables of the README, made from the routes and the switches: python -m simulators.zoho_crm.coverage."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from . import Quirks
from .routes import ROUTES

README = Path(__file__).with_name("README.md")
_SWITCH = re.compile(r"^    (\w+): [^=]+ = (.+?)(?:  # (.+))?$")


def routes_table() -> str:
    """One row a route, with the authority that it rests on."""
    lines = ["| Call | Query parameters | Credits | Authority |", "| --- | --- | --- | --- |"]
    for known in sorted(ROUTES, key=lambda known: (known.host, known.pattern, known.method)):
        params = ", ".join(f"`{name}`" for name in sorted(known.params)) or "none"
        cost = known.credits if isinstance(known.credits, int) else "by the call"
        lines.append(f"| `{known.name}` | {params} | {cost} | {known.authority} |")
    return "\n".join(lines)


def switches_table() -> str:
    """One row a switch: the comments of `Quirks`, so that they are written once."""
    lines = ["| Switch | Default | On what authority, and what else it may be |", "| --- | --- | --- |"]
    waiting: tuple[str, str] | None = None
    for line in inspect.getsource(Quirks).splitlines():
        stripped = line.strip()
        if waiting and stripped.startswith(("# ^", ")")) and "# " in stripped:
            lines.append(_row(*waiting, stripped.split("# ", 1)[1].removeprefix("^ ")))
            waiting = None
        elif match := _SWITCH.match(line):
            name, default, comment = match.groups()
            shown = default if len(default) < 60 and not default.endswith("(") else "see rules.py"
            if comment:
                lines.append(_row(name, shown, comment))
            else:
                waiting = (name, shown)
    return "\n".join(lines)


def _row(name: str, default: str, comment: str) -> str:
    return f"| `{name}` | `{default}` | {comment} |".replace("`see rules.py`", "see rules.py")


def fresh(text: str) -> str:
    """The README with both tables as they have to be."""
    for name, table in (("routes", routes_table()), ("switches", switches_table())):
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(fresh(README.read_text(encoding="utf-8")), encoding="utf-8")
