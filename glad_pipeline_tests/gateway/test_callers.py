"""Who is let in by a key, and what anybody else is told."""


def test_a_key_opens_what_its_scopes_allow_and_nothing_else(client_with):
    assert client_with("read").get("/api/caller").json() == {"data": {"name": "key-0", "scopes": ["read"]}}
    assert client_with("admin").get("/api/caller").status_code == 200
    refused = client_with("submit").get("/api/caller")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"] == "the key key-2 has the scopes submit: this needs read"
    nobody = client_with().get("/api/caller")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
