"""Access tokens kept between runs, in files that only their owner can read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import filelock
import platformdirs

logger = logging.getLogger("zoho_crm")


def write_private(path: Path, content: bytes) -> None:
    """Put the content in the place of what is there, with mode 0600; a reader sees the old file or the new one."""
    # mkstemp makes the file with mode 0600: there is no moment in which others can read it.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


FORMAT = 1
IN_MEMORY = "memory://"
# Whoever holds the lock asks Zoho for a token: a few attempts, each with a time limit.
PATIENCE = 240.0
MARGIN = 60.0  # seconds before its end at which a token counts as dead


@dataclass(frozen=True)
class Token:
    """An access token and what Zoho said about it; `expires_at` None: nobody said."""

    access_token: str = field(repr=False)
    api_domain: str | None = None
    expires_at: float | None = None
    scope: str | None = None
    refresh_token: str | None = field(default=None, repr=False)  # the newest, where a provider changes it

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that were granted; None when nobody said."""
        return None if self.scope is None else frozenset(self.scope.replace(",", " ").split())

    def is_alive(self, now: float) -> bool:
        """Whether it may still be used at that time, by this machine's clock."""
        return self.expires_at is None or now < self.expires_at - MARGIN


def cache_key(*parts: str) -> str:
    """A key that tells nothing about its parts, the secret among them."""
    return hashlib.sha256(
        "\n".join(hashlib.sha256(part.encode()).hexdigest() for part in parts).encode()
    ).hexdigest()


class TokenCache:
    """Tokens by key; files when the place can be written, otherwise the memory of this process.

    `location` is a directory, or a file name (as CData's OAuthSettingsLocation has it) which then
    lends its name: the file itself belongs to another tool and is left alone.
    """

    def __init__(self, location: str | None = None, *, patience: float = PATIENCE) -> None:
        self._memory: dict[str, Token] = {}
        self._lock = threading.RLock()
        self._patience = patience
        self._directory: Path | None = None
        self._stem = "token"
        if location != IN_MEMORY:
            self._directory, self._stem = _place(location)

    def files(self) -> list[Path]:
        """The files that hold tokens, of this account and of others."""
        return sorted(self._directory.glob(f"{self._stem}-*.json")) if self._directory else []

    def load(self, key: str) -> Token | None:
        """The token kept under the key; a file that is broken or not ours counts as none."""
        if self._directory is None:
            return self._memory.get(key)
        try:
            kept = json.loads(self._path(key).read_text(encoding="utf-8"))
            if kept["format"] != FORMAT or kept["key"] != key:
                return None
            return _token(kept["token"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return self._memory.get(key)

    def save(self, key: str, token: Token) -> None:
        self._memory[key] = token
        if self._directory is None:
            return
        kept = {"format": FORMAT, "key": key, "token": asdict(token)}
        try:
            write_private(self._path(key), json.dumps(kept).encode())
        except OSError as error:
            self._give_up(error)

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Alone among threads and processes; where locks do not work, among threads only."""
        with self._lock:
            held = self._hold(key)
            try:
                yield
            finally:
                if held is not None:
                    held.release()

    def _hold(self, key: str) -> filelock.BaseFileLock | None:
        if self._directory is None:
            return None
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(self._path(key).with_suffix(".lock"), mode=0o600)
            lock.acquire(timeout=self._patience)
        except filelock.Timeout:
            logger.warning(
                "Another process has held the token cache for %d s; going on without it", self._patience
            )
            return None
        except (OSError, NotImplementedError) as error:
            self._give_up(error)
            return None
        return lock

    def _path(self, key: str) -> Path:
        assert self._directory is not None
        return self._directory / f"{self._stem}-{key[:32]}.json"

    def _give_up(self, error: Exception) -> None:
        logger.warning(
            "The token cache %s cannot be used (%s): every process gets its own token, and Zoho gives out 10"
            " in 10 minutes. Set OAuthSettingsLocation to a directory that can be written.",
            self._directory,
            type(error).__name__,
        )
        self._directory = None


def _place(location: str | None) -> tuple[Path, str]:
    if not location:
        return Path(platformdirs.user_cache_dir("zoho_crm_pipeline", appauthor=False)), "token"
    path = Path(location).expanduser()
    if path.suffix and not path.is_dir():
        return path.parent, path.stem
    return path, "token"


def _token(kept: dict[str, object]) -> Token:
    token = Token(**kept)  # type: ignore[arg-type]
    texts = (token.access_token, token.api_domain or "", token.scope or "", token.refresh_token or "")
    if not token.access_token or not all(isinstance(part, str) for part in texts):
        raise TypeError
    if token.expires_at is not None and not isinstance(token.expires_at, (int, float)):
        raise TypeError
    return token
