"""What providers do differently. No provider in particular is meant: the first value is only the default."""

from __future__ import annotations

from dataclasses import dataclass

from ..zoho_crm.quirks import Quirks, one_of


@dataclass
class ProviderQuirks(Quirks):
    """The switches of the provider."""

    token_format: str = one_of("json", "form")
    # ^ documented: RFC 6749 wants JSON; form: application/x-www-form-urlencoded, as GitHub answers
    client_authentication: str = one_of("body", "basic")
    # ^ documented: RFC 6749 has both; the other one is refused with invalid_client
    refresh_path: str = one_of("/oauth/token", "/oauth/refresh")
    # ^ inferred: most providers refresh at the token URL; the other path is refused
    rotates: bool = one_of(
        True, False
    )  # documented: RFC 6749, section 6: a new refresh token with each answer
    reuse_revokes: bool = one_of(False, True)
    # ^ documented: RFC 9700: a refresh token that is used twice ends all tokens of its family
    tells_expiry: bool = one_of(True, False)  # documented: RFC 6749: expires_in is recommended, not required
    needs_pkce: bool = one_of(False, True)  # documented: RFC 7636, with the method S256
    paging: str = one_of(
        "link", "cursor"
    )  # documented: RFC 8288, the header Link; cursor: next_cursor in the body
    retry_after: int | None = one_of(30, None)  # documented: RFC 9110: seconds
    retry_after_as_date: bool = one_of(False, True)  # documented: RFC 9110: or a date
