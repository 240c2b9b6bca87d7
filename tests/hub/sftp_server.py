"""A real SFTP server on loopback over a folder of the test's: paramiko's own server side, with one user."""

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

paramiko = pytest.importorskip("paramiko", reason="SFTP is an extra: requirements/sftp.txt")
USER, PASSWORD = "throughline", "only for tests"


class Door(paramiko.ServerInterface):  # type: ignore[misc]
    """Who is let in."""

    def __init__(self, keys: list[Any], tried: list[str]) -> None:
        self.keys, self.tried = keys, tried

    def check_auth_password(self, username: str, password: str) -> int:
        self.tried.append("password")
        good = (username, password) == (USER, PASSWORD)
        return int(paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED)

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self.tried.append("key")
        good = username == USER and key in self.keys
        return int(paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


class Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
    """The server's file system: the folder `root`."""

    def __init__(self, server: Any, *args: Any, root: Path, **kwargs: Any) -> None:
        super().__init__(server, *args, **kwargs)
        self.root = root

    def _real(self, path: str) -> Path:
        return self.root / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        try:
            names = os.scandir(self._real(path))
            return [paramiko.SFTPAttributes.from_stat(one.stat(follow_symlinks=False), one.name) for one in names]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def stat(self, path: str) -> Any:
        return self._did(lambda: paramiko.SFTPAttributes.from_stat(self._real(path).stat()))

    def lstat(self, path: str) -> Any:
        return self._did(lambda: paramiko.SFTPAttributes.from_stat(self._real(path).lstat()))

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            file = os.fdopen(os.open(self._real(path), flags, 0o640), "rb" if flags & 3 == os.O_RDONLY else "wb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = file
        return handle

    def remove(self, path: str) -> Any:
        return self._did(lambda: self._real(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> Any:
        if self._real(newpath).exists():
            return paramiko.SFTP_FAILURE  # the protocol's plain verb does not replace
        return self._did(lambda: self._real(oldpath).rename(self._real(newpath)))

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._did(lambda: self._real(oldpath).rename(self._real(newpath)))

    def _did(self, act: Any) -> Any:
        try:
            done = act()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return done if isinstance(done, paramiko.SFTPAttributes) else paramiko.SFTP_OK


class Server:
    """Serves until it is closed; `tried` says how clients wanted to log in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.key = paramiko.ECDSAKey.generate()
        self.keys: list[Any] = []
        self.tried: list[str] = []
        self.transports: list[Any] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self.listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(link)
            self.transports.append(transport)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files, root=self.root)
            try:
                transport.start_server(server=Door(self.keys, self.tried))
            except (paramiko.SSHException, EOFError):
                transport.close()

    @property
    def host_key(self) -> str:
        """As a known_hosts line has it."""
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(30)
        assert not self.thread.is_alive()
        for transport in self.transports:
            transport.close()
            transport.join(30)
