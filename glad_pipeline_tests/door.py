"""The way to a store: open, or shut as a server is that does not run."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Door:
    """The way to the store: open, or shut as a server is that does not run."""

    def __init__(self, endpoint):
        parts = urlsplit(endpoint)
        self.behind = (parts.hostname, parts.port)
        self.listener, self.pairs, self.port = None, [], 0
        self.open()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def open(self):
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        if self.listener is not None:
            listener, self.listener = self.listener, None
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for end in self.pairs:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self.pairs.clear()

    def _accept(self, listener):
        with suppress(OSError):
            while True:
                ours = listener.accept()[0]
                theirs = socket.create_connection(self.behind)
                self.pairs += [ours, theirs]
                for a, b in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(source, target):
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        source.close()
