"""Folders behind SFTP. The partner's host key is part of the endpoint: another one, or none, ends the connection.

paramiko is an extra (requirements/sftp.txt): whoever has no partner with SFTP does not install it.
"""

import base64
import binascii
import io
import posixpath
import re
import stat
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hub import vault
from hub.errors import Transient
from hub.models import Endpoint
from hub.transports import addresses
from hub.transports.shelves import Entry, StillChangingError

try:
    import paramiko
except ImportError:  # it is an extra
    paramiko = None

CONNECT_S, READ_S = 10.0, 60.0
PORT = 22
NEEDED = {
    "host": "the partner's name or address",
    "user": "who we are there",
    "host_key": 'its public host key, e.g. "ssh-ed25519 AAAA..."',
}
_PEM = re.compile(r"(-----BEGIN [A-Z ]+-----)([A-Za-z0-9+/=\s]+)(-----END [A-Z ]+-----)")
_KINDS = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))


def problems(settings: Mapping[str, Any]) -> list[str]:
    """What an endpoint still lacks, each in a sentence."""
    missing = [name for name in NEEDED if not isinstance(settings.get(name), str) or not settings[name].strip()]
    found = [f'"{name}" is missing: {NEEDED[name]}' for name in missing]
    if "host_key" not in missing and _host_key(settings) is None:
        found.append('"host_key" cannot be read: write it as the partner\'s known_hosts line has it, type and key')
    return found


def _host_key(settings: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Type and bytes of the key that the partner has to show."""
    words = settings["host_key"].split()
    try:
        return (words[0], base64.b64decode(words[1], validate=True)) if len(words) >= 2 else None
    except binascii.Error:
        return None


class SftpShelf:
    """A folder on the partner's server."""

    def __init__(self, client: Any, path: str) -> None:
        self.client = client
        self.path = path

    def entries(self) -> list[Entry]:
        """What lies in it, oldest first. A name with a path in it is no name, whatever the server says."""
        with _blamed(self.path, "list the folder"):
            found = [(one.filename, one) for one in self.client.listdir_attr(self.path)]
        named = [_entry(name, one) for name, one in found if "/" not in name and name not in {"", ".", ".."}]
        return sorted(named, key=lambda entry: (entry.modified_ns, entry.name))

    def read(self, entry: Entry, limit: int) -> bytes:
        """The whole file, if it is still the one that was looked at."""
        path = self._at(entry.name)
        with _blamed(self.path, "read a file"):
            before = _entry(entry.name, self.client.lstat(path))
            if before != entry:
                raise StillChangingError
            with self.client.open(path, "rb") as file:
                file.prefetch(entry.size)
                content: bytes = file.read(limit + 1)
            after = _entry(entry.name, self.client.lstat(path))
        if after != entry or len(content) != entry.size:
            raise StillChangingError
        return content

    def move(self, name: str, folder: str, to: str) -> None:
        """Into a sub-folder."""
        with _blamed(self.path, f"move a file into {folder}/"):
            self._rename(self._at(name), self._at(to, folder))

    def has(self, name: str, folder: str = "") -> bool:
        """Whether something of that name is there."""
        with _blamed(self.path, "look a name up"):
            return self._mode(self._at(name, folder)) is not None

    def has_folder(self, folder: str) -> bool:
        """Whether it has this sub-folder."""
        with _blamed(self.path, "look for its sub-folders"):
            mode = self._mode(self._at(folder))
        return mode is not None and stat.S_ISDIR(mode)

    def put(self, name: str, content: bytes, folder: str = "") -> None:
        """Written under another name, looked at, then renamed. Whether it is durable there, nobody tells."""
        draft = self._at(f".{name}.part", folder)
        with _blamed(self.path, "write a file"):
            with self.client.open(draft, "wb") as file:
                file.write(content)
            if self.client.lstat(draft).st_size != len(content):
                raise OSError("the file there is shorter than what was sent")
            self._rename(draft, self._at(name, folder))

    def remove(self, name: str) -> None:
        """Gone afterwards."""
        with _blamed(self.path, "remove a file"):
            try:
                self.client.remove(self._at(name))
            except FileNotFoundError:
                return

    def _at(self, name: str, folder: str = "") -> str:
        return posixpath.join(self.path, folder, name)

    def _mode(self, path: str) -> int | None:
        try:
            return int(self.client.lstat(path).st_mode or 0)
        except FileNotFoundError:
            return None

    def _rename(self, path: str, to: str) -> None:
        try:
            self.client.posix_rename(path, to)
        except OSError:  # not every server has the extension; the plain verb does not replace what is there
            if self._mode(to) is not None:
                self.client.remove(to)
            self.client.rename(path, to)


def _entry(name: str, found: Any) -> Entry:
    mode = int(found.st_mode or 0)
    kind = next((kind for is_it, kind in _KINDS if is_it(mode)), "other")
    return Entry(name, int(found.st_size or 0), int(found.st_mtime or 0) * 1_000_000_000, kind)


@contextmanager
def opened(endpoint: Endpoint, path: str) -> Iterator[SftpShelf]:
    """The endpoint's folder, over a connection of its own. Raises `Transient` IF_FOLDER where none comes about."""
    if paramiko is None:
        raise Transient("IF_FOLDER", "SFTP needs paramiko: pip install --require-hashes -r requirements/sftp.txt")
    if wrong := problems(endpoint.settings):
        raise Transient("IF_SETTINGS", f"settings of {endpoint.code}: {'; '.join(wrong)}")
    host, port = endpoint.settings["host"], endpoint.port or PORT
    link = addresses.connect(host, port, timeout_s=CONNECT_S)
    where = f"{host} port {port}"
    with _blamed(where, "speak SSH"):
        transport = paramiko.Transport(link)
    try:
        with _blamed(where, "log in"):
            _log_in(transport, endpoint)
            client = paramiko.SFTPClient.from_transport(transport)
            client.get_channel().settimeout(READ_S)
        yield SftpShelf(client, path)
    finally:
        transport.close()


def _log_in(transport: Any, endpoint: Endpoint) -> None:
    """First who they are, then who we are: nobody else ever gets our secret."""
    wanted = _host_key(endpoint.settings)
    assert wanted is not None
    kind, key = wanted
    # Of its host keys the server has to show the one that we know.
    transport.get_security_options().key_types = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    transport.banner_timeout = transport.auth_timeout = CONNECT_S
    transport.start_client(timeout=CONNECT_S)
    if transport.get_remote_server_key().asbytes() != key:
        raise paramiko.SSHException("the server's host key is not the one that the endpoint names: nothing was sent")
    user, secret = endpoint.settings["user"], vault.open_(endpoint.secret) if endpoint.secret else ""
    if secret.startswith("-----BEGIN"):
        transport.auth_publickey(user, _private_key(secret))
    else:
        transport.auth_password(user, secret)


def _private_key(secret: str) -> Any:
    """A PEM key, also one whose line ends were lost where it was pasted into one line."""
    parts = _PEM.fullmatch(secret.strip())
    if parts:
        secret = "\n".join([parts[1], *textwrap.wrap("".join(parts[2].split()), 64), parts[3], ""])
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(secret))
        except paramiko.SSHException:
            continue
    raise paramiko.SSHException("the endpoint's secret is no private key without a passphrase (Ed25519, ECDSA or RSA)")


@contextmanager
def _blamed(where: str, doing: str) -> Iterator[None]:
    """Errors of the connection and of the server as `Transient` IF_FOLDER."""
    try:
        yield
    except (OSError, EOFError, ValueError, paramiko.SSHException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Transient("IF_FOLDER", f"{where}: cannot {doing}: {why}", where=where) from error
