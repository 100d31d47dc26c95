"""Our own requests against real little servers: what is sent, what is read, what is not followed, when it is over."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from glad_pipeline.http_client import NoAnswer, ask, local_status
from glad_pipeline.local import certificates

Answering = Callable[[Callable[[socket.socket], None]], str]


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    return request


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Starts a server that answers each connection by this function, and returns its address."""
    servers: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with closing(connection):
                    try:
                        answer(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


def says(text: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(text)

    return answer


def test_headers_and_json_are_sent_and_the_answer_comes_back(answering):
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 418 No\r\nX-Kind: tea\r\nContent-Length: 3\r\n\r\npot")

    found = ask("POST", f"{answering(answer)}/a", seconds=10, headers={"x-secret": "s"}, json={"paths": ["/"]})
    assert (found.status, found.headers["x-kind"], found.body) == (418, "tea", b"pot")
    assert seen[0].startswith(b"POST /a HTTP/1.1\r\n")
    assert b"\r\nx-secret: s\r\n" in seen[0]
    assert b"\r\ncontent-type: application/json\r\n" in seen[0].lower()


def test_an_answer_without_end_is_read_to_the_limit(answering):
    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    assert ask("GET", answering(answer), seconds=10, most=100_000).body == b"x" * 100_000


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["silence", "headers", "body"]
)
def test_a_server_that_says_a_byte_now_and_then_is_given_up_when_the_time_is_over(answering, said):
    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)
        for _ in range(200):
            time.sleep(0.1)
            connection.sendall(b"x" if said.endswith(b"\r\n\r\n") else b"a: b\r\n" if said else b"")

    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer in 0\.7 s"):
        ask("GET", answering(answer), seconds=0.7)
    assert time.monotonic() - began < 5


def test_a_redirection_is_followed_only_where_it_is_asked_for(answering):
    there = answering(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"))
    here = answering(says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + there.encode() + b"\r\n\r\n"))
    assert ask("GET", here, seconds=10).status == 302
    assert ask("GET", here, seconds=10, redirects=True).body == b"there"


@pytest.mark.parametrize("location", ["/", "file:///etc/passwd"])
def test_redirections_end_and_lead_to_no_file(answering, location):
    redirects = says(f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode())
    with pytest.raises(NoAnswer):
        ask("GET", answering(redirects), seconds=10, redirects=True)


def test_what_is_compressed_is_not_unpacked(answering):
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz"
    assert ask("GET", answering(says(bomb)), seconds=10).body == b"zzzz"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "ftp://127.0.0.1/", "http://[", "nothing"]
)
def test_where_nobody_can_answer_the_reason_is_told(url):
    with pytest.raises(NoAnswer) as told:
        ask("GET", url, seconds=10)
    assert str(told.value)


def test_a_server_of_this_machine_is_asked_past_any_proxy_with_its_token(answering, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    def answer(connection: socket.socket) -> None:
        known = b"Authorization: Bearer t0ken" in read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if known else b"HTTP/1.1 401 No\r\n\r\n")

    port = int(answering(answer).rpartition(":")[2])
    assert (local_status(port, "/"), local_status(port, "/", "t0ken"), local_status(1, "/")) == (401, 200, None)


@pytest.mark.parametrize("named", [True, False])
def test_a_server_is_believed_by_the_authorities_of_ssl_cert_file(answering, monkeypatch, tmp_path, named):
    """As the cure of a visit says (`pipeline/visit.py`)."""
    certificates.lay(tmp_path / "keys")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "keys" / "cert.pem", tmp_path / "keys" / "key.pem")

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as inside:
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(inside)

    url = answering(answer).replace("http://", "https://")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "keys" / "ca.pem"))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if named:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "keys" / "ca.pem"))
        assert ask("GET", url, seconds=5).body == b"ok"
    else:
        with pytest.raises(NoAnswer, match="certificate"):
            ask("GET", url, seconds=5)


def test_a_server_elsewhere_is_asked_by_the_proxy_of_https_proxy(answering, monkeypatch):
    """As the cure of a visit says (`pipeline/visit.py`)."""
    asked = []

    def proxy(connection):
        asked.append(read_request(connection).split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("GLAD_S3_PROXY_URL", answering(says(b"HTTP/1.1 200 OK\r\n\r\n")))
    monkeypatch.setenv("HTTPS_PROXY", answering(proxy))
    with pytest.raises(NoAnswer):
        ask("GET", "https://pictures.invalid/a.png", seconds=5)
    assert asked == [b"CONNECT pictures.invalid:443 HTTP/1.1"]
