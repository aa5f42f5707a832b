"""Where a Zoho CRM lives: the eleven data centres, and which API host an account's token may be sent to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ..exceptions import CredentialsError

Instance = Literal["Production", "Sandbox", "Development"]

SUBDOMAINS: dict[Instance, str] = {"Production": "www", "Sandbox": "sandbox", "Development": "developer"}


@dataclass(frozen=True)
class DataCentre:
    """One of Zoho's data centres; a client, a token and an org belong to exactly one."""

    region: str
    code: str
    accounts_host: str
    api_suffix: str
    aliases: tuple[str, ...] = ()

    @property
    def accounts_server(self) -> str:
        return f"https://{self.accounts_host}"

    @property
    def console(self) -> str:
        """Where clients are registered; Canada's is at zohocloud.ca, as its accounts are."""
        return f"https://{self.accounts_host.replace('accounts.', 'api-console.', 1)}"

    @property
    def download_server(self) -> str:
        """Where exported files lie, as Zoho's page on the audit log shows it for zoho.com."""
        return f"https://{self.accounts_host.replace('accounts.', 'download.', 1)}"

    def api_domain(self, instance: Instance = "Production") -> str:
        return f"https://{SUBDOMAINS[instance]}.{self.api_suffix}"


# Accounts servers and API hosts as Zoho's own Python SDK 8.0 has them, but for the last three: the UK
# accounts server is on Zoho's multi-DC page, and the hosts of the UAE and of Singapore are hard-coded by
# several public projects. Their sandbox and developer hosts follow the pattern of the others.
DATA_CENTRES: tuple[DataCentre, ...] = (
    DataCentre("US", "us", "accounts.zoho.com", "zohoapis.com", ("USA", "United States")),
    DataCentre("Europe", "eu", "accounts.zoho.eu", "zohoapis.eu", ("EU",)),
    DataCentre("India", "in", "accounts.zoho.in", "zohoapis.in", ("IN",)),
    DataCentre("Australia", "au", "accounts.zoho.com.au", "zohoapis.com.au", ("AU",)),
    DataCentre("Japan", "jp", "accounts.zoho.jp", "zohoapis.jp", ("JP",)),
    DataCentre("China", "cn", "accounts.zoho.com.cn", "zohoapis.com.cn", ("CN",)),
    DataCentre("Canada", "ca", "accounts.zohocloud.ca", "zohoapis.ca", ("CA",)),
    DataCentre("Saudi Arabia", "sa", "accounts.zoho.sa", "zohoapis.sa", ("SA",)),
    DataCentre("UK", "uk", "accounts.zoho.uk", "zohoapis.uk", ("GB", "United Kingdom")),
    DataCentre("UAE", "ae", "accounts.zoho.ae", "zohoapis.ae", ("AE", "United Arab Emirates")),
    DataCentre("Singapore", "sg", "accounts.zoho.sg", "zohoapis.sg", ("SG",)),
)

# Older instructions name this host for Canada; the accounts live on zohocloud.ca.
MISNAMED_ACCOUNTS_HOSTS = {"accounts.zoho.ca": "accounts.zohocloud.ca"}


def data_centre(region: str) -> DataCentre | None:
    """The data centre of a region's name or alias, without regard to case and blanks."""
    return _BY_NAME.get(_plain(region))


def data_centre_of_accounts_host(host: str) -> DataCentre | None:
    host = MISNAMED_ACCOUNTS_HOSTS.get(host.lower(), host.lower())
    return next((centre for centre in DATA_CENTRES if centre.accounts_host == host), None)


def api_hosts(region: str, instance: Instance) -> frozenset[str]:
    """The API hosts that a token answer may name for this region and instance type.

    A token is bound to one org in one environment. For a sandbox or a developer org Zoho may name
    the production host of the data centre (its documentation shows no other answer), so that one is
    believed too, as to the data centre. The other way round it is not: a sandbox host in the answer
    to a production connection means a token of the sandbox.
    """
    centre = data_centre(region)
    if centre is None:
        return frozenset()
    return frozenset({f"{SUBDOMAINS[instance]}.{centre.api_suffix}", f"www.{centre.api_suffix}"})


def trusted_api_domain(url: str, centre: DataCentre, instance: Instance, explicit: str | None) -> bool:
    """Whether the `api_domain` of a token answer may be believed."""
    if explicit is not None and origin(url) == origin(explicit):
        return True
    return _is_https(url) and (urlsplit(url).hostname or "") in api_hosts(centre.region, instance)


def choose_api_domain(
    answered: str | None, centre: DataCentre, instance: Instance, explicit: str | None
) -> str:
    """The API's base URL: an explicit one first, else the answer's, at the host of the instance type."""
    ours = explicit or centre.api_domain(instance)
    if answered is not None and not trusted_api_domain(answered, centre, instance, explicit):
        raise CredentialsError(_refusal(answered, centre, instance, ours))
    return ours


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, for comparing two URLs; never raises."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", url, None)
    return parts.scheme, parts.hostname or "", port


def _refusal(answered: str, centre: DataCentre, instance: Instance, ours: str) -> str:
    scheme, host, _ = origin(answered)
    shown = f"{scheme}://{host}"[:100]
    wanted = f"{ours} is expected for Region={centre.region}, InstanceType={instance}"
    return (
        f"The accounts server says that this account's API is at {shown}, but {wanted}: no token is sent"
        f" there. {_advice(host, instance)}"
    )


def _advice(host: str, instance: Instance) -> str:
    for centre in DATA_CENTRES:
        for kind, subdomain in SUBDOMAINS.items():
            if host == f"{subdomain}.{centre.api_suffix}":
                return f"If that is your CRM, set Region={centre.region};InstanceType={kind}."
    return "If you trust that host, set it as APIDomain."


def _is_https(url: str) -> bool:
    scheme, _, port = origin(url)
    return scheme == "https" and port == 443


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_BY_NAME = {
    _plain(name): centre for centre in DATA_CENTRES for name in (centre.region, centre.code, *centre.aliases)
}
