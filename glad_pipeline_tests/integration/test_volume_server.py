"""The file server that `glad demo` and `glad up` start for a folder: started, found again, kept at its port, ended."""

import os
import signal
import socket
from contextlib import closing

import psutil
import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.http_client import local_status
from glad_pipeline.local import stack as local_stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import gone, wait_until
from glad_pipeline.local.volume import VolumeServer
from glad_pipeline.settings import settings_of


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home").prepare()
    yield home
    VolumeServer(home, None).stop()


def test_it_shows_the_folder_in_home_until_it_is_stopped_and_always_at_one_port(home):
    server = VolumeServer(home, None)
    server.start()
    first = server.running()
    assert server.environment() == {"GLAD_VOLUME": f"{home.path}/volume", "GLAD_PUBLIC_BASE_URL": server.address}
    assert local_status(server.port, "/generated/none.png") == 503  # nothing was ever stored in it
    again = VolumeServer(home, None)
    again.start()
    assert again.running() == first
    address = server.address
    os.kill(first.pid, signal.SIGKILL)
    assert wait_until(lambda: gone(first), 10)
    assert server.running() is None
    server.start()
    assert (server.address, server.running() != first) == (address, True)
    assert [server.stop(), server.stop(), server.running()] == [True, False, None]


def test_another_folder_is_shown_by_another_process_at_the_same_port(home, tmp_path):
    VolumeServer(home, None).start()
    first = VolumeServer(home, None).running()
    (tmp_path / "images").mkdir()
    other = VolumeServer(home, str(tmp_path / "images"))
    assert other.running() is None
    other.start()
    assert gone(first)
    assert VolumeServer(home, None).running() is None
    assert isinstance(other.running(), psutil.Process)


def test_a_port_that_is_taken_is_not_replaced_since_published_urls_contain_it(home):
    server = VolumeServer(home, None)
    server.start()
    port = server.port
    server.stop()
    assert wait_until(lambda: server.running() is None, 5)
    with (
        closing(socket.create_server(("127.0.0.1", port))),
        pytest.raises(GladError, match=f"port {port} .*is taken by"),
    ):
        server.start()


def test_the_store_of_the_settings_is_started_as_far_as_it_is_missing(home, tmp_path):
    def settings(**values):
        return settings_of({"GLAD_HOME": str(home.path), **values})

    folder = {"GLAD_VOLUME": str(tmp_path / "images")}
    assert local_stack.start_store(settings(**folder, GLAD_PUBLIC_BASE_URL="https://img.example.com"), home) == {}
    assert local_stack.start_store(settings(AWS_S3_BUCKET="b"), home) == {}
    brought = local_stack.start_store(settings(GLAD_STORE="volume"), home)
    assert brought["GLAD_VOLUME"] == f"{home.path}/volume"
    assert local_stack.start_store(settings(**folder), home)["GLAD_VOLUME"] == folder["GLAD_VOLUME"]
