"""A TCP proxy on loopback that cuts connections now and then: before a request gets through, or before its answer."""

import random
import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self

CUTS = 0.15
"""Chance of a cut at each piece of data, in either direction."""


class CuttingProxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream_port: int, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.upstream_port = upstream_port
        self.random = random.Random(seed)
        self.cuts = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: CuttingProxy

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.upstream_port)) as upstream:
            answers = threading.Thread(target=self._pump, args=(upstream, self.request), daemon=True)
            answers.start()
            self._pump(self.request, upstream)
            answers.join(10)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                if self.server.random.random() < CUTS:
                    self.server.cuts += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
