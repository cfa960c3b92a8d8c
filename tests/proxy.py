"""A small TCP proxy between a server and its clients, with the faults of a network: refuse, fall silent, lose the answer to a COMMIT."""

import contextlib
import socket
import threading
from collections.abc import Iterator

_COMMIT = b"COMMIT\0"


class Proxy:
    """Passes bytes on to `(host, port)`, from a port of its own, with a thread for each direction of a link."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.listener.getsockname()[1]
        self.is_refusing = False
        self.passes = threading.Event()
        self.passes.set()
        self.loses_commit_after: bytes | None = None
        """Text of a statement: the answer to the COMMIT that follows it is lost, once, and the link with it."""
        self.committed = threading.Event()
        """Set when the server has answered the COMMIT whose answer was lost."""
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut all links."""
        for link in self._links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        self._links.clear()

    def close(self) -> None:
        """Cut all links and listen no more."""
        self.listener.close()
        self.passes.set()
        self.cut()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Cut all links and refuse new ones meanwhile."""
        self.is_refusing = True
        self.cut()
        try:
            yield
        finally:
            self.is_refusing = False

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Take connections and bytes, and pass nothing on meanwhile."""
        self.passes.clear()
        try:
            yield
        finally:
            self.passes.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_refusing:
                client.close()
                continue
            threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self.passes.wait()
        server = socket.create_connection(self.target)
        self._links += [client, server]
        link = _Link(self, client, server)
        threading.Thread(target=link.answer, daemon=True).start()
        link.ask()


class _Link:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.is_armed = False
        self.drops_answer = False

    def ask(self) -> None:
        """Pass on what the client sends."""
        with contextlib.suppress(OSError):
            while chunk := self.client.recv(65536):
                self.proxy.passes.wait()
                statement = self.proxy.loses_commit_after
                if statement and statement in chunk:
                    self.is_armed = True
                if self.is_armed and _COMMIT in chunk:
                    self.proxy.loses_commit_after = None
                    self.drops_answer = True
                self.server.sendall(chunk)
        self._end()

    def answer(self) -> None:
        """Pass on what the server answers, up to the answer that is to be lost."""
        with contextlib.suppress(OSError):
            while chunk := self.server.recv(65536):
                self.proxy.passes.wait()
                if self.drops_answer:
                    self.proxy.committed.set()
                    break
                self.client.sendall(chunk)
        self._end()

    def _end(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
