"""The authorities that this machine trusts are read once, and again where a variable names others, or they change."""

import os

from glad_pipeline import http_client
from glad_pipeline.local import certificates


def test_they_are_read_once_and_anew_when_another_file_is_named(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = http_client._trusted()
    assert http_client._trusted() is usual
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/others.pem")
    others = http_client._trusted()
    assert others is not usual
    assert http_client._trusted() is others


def test_they_are_read_anew_when_the_file_changes(tmp_path, monkeypatch):
    certificates.lay(tmp_path)
    file = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    (before,) = http_client._trusted().get_ca_certs()
    certificates.lay(tmp_path)  # in its place, as by a rename
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    renewed = http_client._trusted()
    (after,) = renewed.get_ca_certs()
    assert after["serialNumber"] != before["serialNumber"]
    assert http_client._trusted() is renewed


def test_they_are_read_anew_when_one_is_put_into_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    before = http_client._trusted()
    assert http_client._trusted() is before
    os.utime(tmp_path, ns=(0, tmp_path.stat().st_mtime_ns + 1))
    assert http_client._trusted() is not before
