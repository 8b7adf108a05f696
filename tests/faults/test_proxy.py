"""The fault proxy passes everything on as it is, until it is told otherwise."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from codewave.faults.proxy import Answer, FaultProxy, HangupError, Request, delayed, refused


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("X-Seen", self.headers.get("X-Sent", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with FaultProxy(f"http://127.0.0.1:{server.server_address[1]}") as made:
        yield made
    server.shutdown()
    server.server_close()


def test_method_headers_body_and_status_pass_unchanged(proxy: FaultProxy):
    answer = requests.post(proxy.url + "/a?b=c", data=b"\x00\xff", headers={"X-Sent": "x"}, timeout=5)
    assert (answer.status_code, answer.content, answer.headers["X-Seen"]) == (201, b"\x00\xff", "x")


def test_a_body_in_chunks_arrives_whole(proxy: FaultProxy):
    answer = requests.post(proxy.url, data=iter([b"ab", b"cde"]), timeout=5)
    assert answer.content == b"abcde"


def test_a_connection_is_kept_for_the_next_request(proxy: FaultProxy):
    with requests.Session() as session:
        assert [session.post(proxy.url, data=b"x", timeout=5).content for _ in range(3)] == [b"x"] * 3


def test_a_rule_answers_in_place_of_the_part_behind(proxy: FaultProxy):
    seen: list[Request] = []

    def busy(request: Request, _ask: Callable[[], Answer]) -> Answer:
        seen.append(request)
        return Answer(429, b"{}", {"Content-Type": "application/json"})

    proxy.rule = busy
    answer = requests.post(proxy.url + "/_bulk", data=b"x", timeout=5)
    assert (answer.status_code, answer.json(), seen[0].path, seen[0].body) == (429, {}, "/_bulk", b"x")


def test_a_refused_connection_looks_like_a_part_that_is_gone(proxy: FaultProxy):
    proxy.rule = refused
    with pytest.raises(requests.ConnectionError):
        requests.post(proxy.url, data=b"x", timeout=5)


def test_an_answer_can_be_lost_after_the_request_was_carried_out(proxy: FaultProxy):
    carried_out: list[int] = []

    def lose(_request: Request, ask: Callable[[], Answer]) -> Answer:
        carried_out.append(ask().status)
        raise HangupError

    proxy.rule = lose
    with pytest.raises(requests.ConnectionError):
        requests.post(proxy.url, data=b"x", timeout=5)
    assert carried_out == [201]


def test_a_part_that_does_not_answer_is_passed_on_as_such():
    with FaultProxy("http://127.0.0.1:1") as nobody, pytest.raises(requests.ConnectionError):
        requests.get(nobody.url, timeout=5)


def test_only_what_matches_is_delayed(proxy: FaultProxy):
    proxy.rule = delayed(30, lambda request: request.path == "/slow")
    assert requests.post(proxy.url + "/fast", data=b"x", timeout=5).ok
    with pytest.raises(requests.Timeout):
        requests.post(proxy.url + "/slow", data=b"x", timeout=0.3)
