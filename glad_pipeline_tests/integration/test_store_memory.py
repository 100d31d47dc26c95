"""`MemoryStore`: the contract of all stores, and what is its own."""

import uuid
from dataclasses import replace

import pytest

from glad_pipeline.storage.memory import Memory
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.options import S3Options
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline_tests.integration.store_contract import Place, StoreContract

PNG = {"content_type": "image/png", "metadata": {}}


class Switch:
    """The way to the memory, as the contract shuts it."""

    def __init__(self, memory):
        self.memory = memory

    def open(self):
        self.memory.unreachable = False

    def shut(self):
        self.memory.unreachable = True


class MemoryPlace(Place):
    settings = ("secret_access_key",)

    def __init__(self, memory):
        self.memory, self.door = memory, Switch(memory)

    def store(self):
        return self.memory.store("pictures")

    def behind_door(self, *, patience=0.0):
        return self.memory.store("pictures", patience=patience)

    def with_wrong_credentials(self):
        secret = f"wrong-{uuid.uuid4().hex}"
        return replace(self.store(), secret_access_key=secret), secret


@pytest.fixture(scope="module")
def place():
    with Memory("pictures") as memory:
        yield MemoryPlace(memory)


class TestMemoryStore(StoreContract):
    """The contract."""


def test_two_memories_know_nothing_of_each_other():
    with Memory("pictures") as one, Memory("pictures") as other:
        one.store("pictures").put_once("generated/a.png", b"x", **PNG)
        assert other.store("pictures").head("generated/a.png") is None
        assert other.store("pictures") != one.store("pictures")
        assert one.store("pictures").neighbour("pictures", other.address) is None


def test_the_one_place_that_opens_stores_opens_it_by_its_address():
    with Memory("pictures") as memory:
        options = S3Options(
            bucket="pictures",
            region="any",
            endpoint_url=memory.address,
            access_key_id=None,
            secret_access_key=memory.secret_access_key,
            session_token=None,
            public_base_url="https://cdn.example.com/",
        )
        opened = open_store(options, patience=3)
        opened.put_once("generated/a.png", b"x", **PNG)
        assert memory.store("pictures").fetch("generated/a.png") == b"x"
        assert opened.url("generated/a.png") == "https://cdn.example.com/generated/a.png"
        assert opened.patience == 3


def test_a_switch_that_it_does_not_have_is_refused():
    with Memory("pictures") as memory:
        with pytest.raises(AttributeError, match="away"):
            memory.away = True
        memory.unreachable = True
        with pytest.raises(StoreError, match="`unreachable` is set"):
            memory.store("pictures").check()


def test_closed_it_is_gone_and_says_why_and_closing_again_is_no_error():
    with Memory("pictures") as memory:
        store = memory.store("pictures", patience=60)  # which is not waited for
    memory.close()
    for ask in (store.check, lambda: store.url("generated/a.png")):
        with pytest.raises(StoreError, match="one process"):
            ask()
