"""The authorities that this machine trusts are read once, and again where a variable names others."""

from glad_pipeline import http_client


def test_they_are_read_once_and_anew_when_another_file_is_named(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = http_client._trusted()
    assert http_client._trusted() is usual
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/others.pem")
    others = http_client._trusted()
    assert others is not usual
    assert http_client._trusted() is others
