"""`VolumeStore`: the contract of all stores, and what is a folder's alone."""

import threading

import pytest

from glad_pipeline.local.file_server import FileServer
from glad_pipeline.storage.keys import DEPLOYMENT
from glad_pipeline.storage.volume import VolumeStore
from glad_pipeline_tests.integration.store_contract import Place, StoreContract

PNG = {"content_type": "image/png", "metadata": {}}


class Mount:
    """A volume's mount point: shut, it is the empty folder that is left where nothing is mounted."""

    def __init__(self, root):
        self.root, self.elsewhere = root, root.with_name(f"{root.name}.unmounted")

    def shut(self):
        if not self.elsewhere.exists():
            self.root.rename(self.elsewhere)
            self.root.mkdir()

    def open(self):
        if self.elsewhere.exists():
            self.root.rmdir()
            self.elsewhere.rename(self.root)


class VolumePlace(Place):
    settings = ("GLAD_VOLUME",)
    silence = "mount the volume"

    def __init__(self, root, base_url):
        self.root, self.base_url, self.door = root, base_url, Mount(root)

    def store(self):
        return VolumeStore(bucket=str(self.root), public_base_url=self.base_url)

    def behind_door(self, *, patience=0.0):
        return self.store().with_patience(patience)

    def with_wrong_credentials(self):
        return None


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("volume")
    server = FileServer(str(root), 0)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    place = VolumePlace(root, f"http://127.0.0.1:{server.server_address[1]}")
    place.store().put_once(DEPLOYMENT, b"{}", content_type="application/json", metadata={})
    yield place
    server.shutdown()
    serving.join()
    server.server_close()


class TestVolumeStore(StoreContract):
    """The contract."""
