"""A proxy that ends TLS, as one stands before a web UI that people reach from elsewhere: it says so by X-Forwarded-Proto."""

import asyncio
import ssl
import subprocess
import threading


class TlsProxy:
    """Serves `https://127.0.0.1:<port>` from a plain server on this machine, in a thread of its own. A context manager."""

    def __init__(self, target_port, folder):
        self._target = target_port
        certificate = folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=glad.example",
             "-keyout", certificate, "-out", folder / "public.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "public.pem", certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls), self._loop
        )
        self.port = started.result(timeout=10).sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    async def _end(self):
        ours = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head[:-4].split(b"\r\n")
            upgrades = any(line.lower().startswith(b"upgrade:") for line in lines)
            told = [b"X-Forwarded-Proto: https", b"X-Forwarded-For: 203.0.113.7"]
            if not upgrades:  # one request a connection is enough here
                lines = [line for line in lines if not line.lower().startswith(b"connection:")]
                told.append(b"Connection: close")
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            to_server.write(b"\r\n".join([first, *lines, *told]) + b"\r\n\r\n")
            await asyncio.gather(_pour(reader, to_server), _pour(from_server, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _pour(source, sink):
    try:
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
