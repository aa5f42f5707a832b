"""The tables of the README, made from the routes and the switches: python -m simulators.zoho_crm.coverage."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path

from . import Quirks
from .routes import ROUTES

README = Path(__file__).with_name("README.md")
_SWITCH = re.compile(r"^    (\w+): [^=]+ = one_of\(")


def routes_table(*services: str) -> str:
    """One row a route of these services, with the authority that it rests on."""
    lines = ["| Call | Query parameters | Credits | Authority |", "| --- | --- | --- | --- |"]
    routes = (known for known in ROUTES if known.service in services)
    for known in sorted(routes, key=lambda known: (known.host, known.pattern, known.method)):
        params = ", ".join(f"`{name}`" for name in sorted(known.params)) or "none"
        cost = known.credits if isinstance(known.credits, int) else "by the call"
        lines.append(f"| `{known.name}` | {params} | {cost} | {known.authority} |")
    return "\n".join(lines)


def switches_table(quirks: type[Quirks] = Quirks) -> str:
    """One row a switch: its values, and the comment beside it in the class, so that it is written once."""
    authority = _comments(quirks)
    lines = ["| Switch | Default | What else it may be | On what authority |", "| --- | --- | --- | --- |"]
    for switch in dataclasses.fields(quirks):
        if switch.name not in authority:  # a service's switches come after those that all have
            continue
        default, *others = (_shown(value) for value in switch.metadata["choices"])
        lines.append(f"| `{switch.name}` | {default} | {', '.join(others)} | {authority[switch.name]} |")
    return "\n".join(lines)


def _comments(quirks: type[Quirks]) -> dict[str, str]:
    """Switch -> the comment behind it, or on the line that ends it."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.getsource(quirks).splitlines():
        if match := _SWITCH.match(line):
            name = match.group(1)
        before, sign, comment = line.partition("  # ")
        if sign and name and name not in found and (before.endswith(")") or comment.startswith("^ ")):
            found[name] = comment.removeprefix("^ ")
    return found


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return "none" if not value else " and ".join(f"`{name}`" for name in sorted(value))
    return f"`{value!r}`" if not isinstance(value, str) else f"`{json.dumps(value)}`"


def fresh(text: str, *services: str, quirks: type[Quirks] = Quirks) -> str:
    """A README with both tables as they have to be; without services, the CRM's."""
    routes = routes_table(*(services or ("crm", "accounts")))
    for name, table in (("routes", routes), ("switches", switches_table(quirks))):
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(fresh(README.read_text(encoding="utf-8")), encoding="utf-8")
