"""What a token may do: as Zoho's answer named it, else found out by asking."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .outcome import OUT_OF_SCOPE
from .scopes import MODULES, covers
from .table_scopes import BULK, NO_JOB, PROBES, of_module

if TYPE_CHECKING:
    from sources.zoho_crm.client import ZohoClient
    from sources.zoho_crm.errors import ZohoCrmError
    from sources.zoho_crm.metadata import Module


class Grants:
    """Asks for each scope once at most; `told` says whether nothing had to be asked."""

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._granted = client.door.auth.scope
        self._asked: dict[str, bool | None] = {}
        self._refused: dict[str, ZohoCrmError] = {}

    @property
    def told(self) -> bool:
        return self._granted is not None

    def has(self, scope: str, module: str | None) -> bool | None:
        """Whether it is granted; None if that cannot be found out, for want of a module to ask with, say."""
        if self._granted is not None:
            return covers(self._granted, scope)
        if scope not in self._asked:
            self._asked[scope] = self._ask(scope, module)
        return self._asked[scope]

    def learn(self, scope: str, granted: bool) -> None:
        """What a call showed that was made anyway."""
        self._asked[scope] = granted

    def reads(self, module: Module) -> bool:
        """Whether the token has a scope for this module, as far as anybody told or `ask_modules` has asked."""
        refused = self._refused.get(module.api_name)
        if refused is not None and OUT_OF_SCOPE in str(refused):
            return False
        if self._granted is None:
            return True
        own = "custom" if module.generated_type == "custom" else module.api_name
        names = [MODULES, *of_module(module.api_name), *of_module(own)]
        return any(covers(self._granted, name) for name in names)

    def ask_modules(self, modules: Sequence[Module]) -> None:
        """One call of one credit for each: what a profile forbids shows only so."""
        from sources.zoho_crm.limits import CALLS_AT_ONCE

        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            answers = pool.map(lambda m: self._error(f"{m.api_name}?fields=id&per_page=1"), modules)
            for module, error in zip(modules, answers, strict=True):
                if error is not None:
                    self._refused[module.api_name] = error

    def forbidden(self) -> dict[str, str]:
        """The modules that were asked and that Zoho does not let this user read, for another reason than a scope."""
        return {name: str(e) for name, e in self._refused.items() if OUT_OF_SCOPE not in str(e)}

    def _ask(self, scope: str, module: str | None) -> bool | None:
        from sources.zoho_crm.errors import ZohoError

        path = PROBES.get(scope)
        if path is None or (module is None and "{module}" in path):
            return None
        error = self._error(path.format(module=module))
        if error is None or isinstance(error, ZohoError):
            return error is None or error.code != OUT_OF_SCOPE
        return None

    def _error(self, path: str) -> ZohoCrmError | None:
        """What Zoho has against the call, which is a query if it looks like one."""
        from sources.zoho_crm.errors import ZohoCrmError

        try:
            if path.startswith("select "):
                self._client.post("coql", {"select_query": path})
            elif path == PROBES[BULK]:
                self._client.read_bulk_job(NO_JOB)
            else:
                self._client.get(path)
        except ZohoCrmError as error:
            return error
        return None
