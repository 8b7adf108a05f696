"""An HTTP proxy between the job and a part of the stack, where requests can be delayed, refused or answered wrongly."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Protocol, Self

import requests
import urllib3
from msgspec import Struct

from codewave.local.settings import LOOPBACK

_UPSTREAM_TIMEOUT_S: Final = 120.0
_PER_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te"})
"""Headers that belong to one connection and are made anew for the next."""
_HALF_SECOND: Final = 0.5


class Request(Struct, frozen=True):
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(Struct, frozen=True):
    """What goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class HangupError(Exception):
    """Raised by a rule: the connection ends without an answer."""


class Ask(Protocol):
    """Asks the part behind."""

    def __call__(self, changed: Request | None = None) -> Answer:
        """Ask what came in, or ``changed`` in its place."""


Rule = Callable[[Request, Ask], Answer]
"""Decides about a request: given it and a function that asks the part behind, returns the answer.

It may answer without asking, wait, change what comes back, or raise :class:`HangupError` before or after asking. It is
called from several threads at once.
"""


def pass_on(_request: Request, ask: Ask) -> Answer:
    """The rule of a proxy that does nothing."""
    return ask()


def delayed(seconds: float, matches: Callable[[Request], bool] = lambda _: True) -> Rule:
    """A rule that waits before it asks."""

    def rule(request: Request, ask: Ask) -> Answer:
        if matches(request):
            time.sleep(seconds)
        return ask()

    return rule


def refused(_request: Request, _ask: Ask) -> Answer:
    """A rule as if nobody were there."""
    raise HangupError


class FaultProxy:
    """A proxy on a free loopback port; ``rule`` may be set at any time and holds from the next request on.

    :param upstream: URL of the part behind; its certificate is not checked, as it is on loopback.
    """

    def __init__(self, upstream: str) -> None:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.upstream = upstream.rstrip("/")
        self.rule: Rule = pass_on
        self._server = _Server((LOOPBACK, 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_HALF_SECOND,), daemon=True)
        self._sessions = threading.local()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        """Answer a request as the rule says; 502 where the part behind does not answer."""
        return self.rule(request, lambda changed=None: self._ask(changed or request))

    @contextmanager
    def ruled(self, rule: Rule) -> Iterator[None]:
        """Let ``rule`` hold for as long as the block runs, and the rule of before again after it."""
        before, self.rule = self.rule, rule
        try:
            yield
        finally:
            self.rule = before

    def _ask(self, request: Request) -> Answer:
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.trust_env = False  # no proxy of the machine's between two parts on loopback
        try:
            found = session.request(
                request.method,
                self.upstream + request.path,
                headers=dict(request.headers),
                data=request.body,
                timeout=_UPSTREAM_TIMEOUT_S,
                verify=False,
                allow_redirects=False,
                stream=True,
            )
            # As it came: the client has asked for the encoding.
            body = found.raw.read(decode_content=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise HangupError(f"{self.upstream} does not answer") from error
        headers = {name: value for name, value in found.headers.items() if name.lower() not in _PER_CONNECTION}
        return Answer(found.status_code, body, headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients are killed in the middle of requests, on purpose."""


def _handler_for(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A small answer must not wait for the acknowledgement of the one before.
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            """Answer one request of any method."""
            with suppress(ConnectionError, TimeoutError):
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self._answer()
                return
            self.close_connection = True

        def _answer(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_CONNECTION}
            request = Request(self.command, self.path, headers, self._body())
            try:
                answer = proxy.answer(request)
            except HangupError:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(answer.body)))
            elif "Content-Length" not in answer.headers:
                self.send_header("Content-Length", "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()

        def _body(self) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline(65_537).split(b";", 1)[0], 16)
            data = self.rfile.read(size)
            self.rfile.readline(65_537)
            return data

    return Handler
