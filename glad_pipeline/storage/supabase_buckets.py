"""The two buckets of a store on Supabase: that the public one is public, and that there is a private one.

All of a public bucket is public, whatever a key is called. Knows no objects.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Any

from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.supabase_client import Client, Sent, is_absent, path_of
from glad_pipeline.storage.supabase_errors import Refusal


class Buckets:
    """Both by their names, asked for with the store's client. Every method that asks raises `StoreError`."""

    def __init__(self, client: Client, *, public: str, private: str) -> None:
        self._client, self.public, self.private = client, public, private
        self._preparing, self._prepared = Lock(), Event()

    def look_at(self, bucket: str, doing: str, *, absent: bool = False) -> dict[str, Any] | None:
        """What Supabase says of a bucket; None with `absent`: there is none."""
        expected: Callable[[Refusal], bool] = is_absent if absent else lambda _: False
        found = self._client.ask(doing, bucket, Sent(method="GET", path=path_of("bucket", bucket)), expected=expected)
        return None if found is None else dict(found[0])

    def check(self) -> None:
        """Raise with the cure unless one is there and public, and the other is private or not there yet."""
        public = self.look_at(self.public, "look at the bucket")
        if public is not None and public.get("public") is not True:
            raise StoreError(
                f"the bucket {self.public!r} at {self._client.place} is private, and visitors would see no picture: "
                "make it public in Supabase's dashboard, or name another one by GLAD_SUPABASE_BUCKET",
                answer="refusal",
            )
        self._require_private(self.look_at(self.private, "look at the bucket", absent=True))

    def prepare(self, clear: Callable[[], None]) -> None:
        """Before the first write of this process: the private bucket is made where it is missing, and `clear` called,
        whose failure is nothing to it."""
        with self._preparing:
            if self._prepared.is_set():
                return
            doing = "look at the private bucket"
            found = self.look_at(self.private, doing, absent=True)
            if found is None:
                self._client.ask(
                    "make the private bucket",
                    self.private,
                    Sent(
                        method="POST", path="/bucket", json={"id": self.private, "name": self.private, "public": False}
                    ),
                    expected=lambda refusal: refusal.is_duplicate,  # another process was first
                )
                found = self.look_at(self.private, doing)
            self._require_private(found)
            with suppress(StoreError):
                clear()
            self._prepared.set()

    def _require_private(self, bucket: dict[str, Any] | None) -> None:
        if bucket is not None and bucket.get("public") is not False:
            raise StoreError(
                f"the bucket {self.private!r} at {self._client.place} is public, and has to keep from visitors what is "
                "taken down or set aside: make it private in Supabase's dashboard",
                answer="refusal",
            )
