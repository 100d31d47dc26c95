"""The site's server asks for many visitors: each has the rate of an address of their own, and the site has none."""

import httpx2
import pytest

from glad_pipeline.settings import settings_of
from glad_pipeline_tests.gateway.conftest import served

SECRET = "a-secret-of-site-and-gateway"
SITE = {"x-glad-site": SECRET}


@pytest.fixture(scope="module")
def client(stack):
    """Of a gateway that lets an address ask three times; posts need no database to be counted."""
    address = {"GLAD_SITE_URL": "http://127.0.0.1:1", "GLAD_REVALIDATE_SECRET": SECRET, "GLAD_GATEWAY_RATE": "3/day"}
    with (
        served(settings_of({"DATABASE_URL": stack["DATABASE_URL"], **address})) as url,
        httpx2.Client(base_url=url) as c,
    ):
        yield c


def statuses(client, number, **headers):
    return [
        client.get("/api/caller", headers={name.replace("_", "-"): each for name, each in headers.items()}).status_code
        for _ in range(number)
    ]


def test_what_the_site_asks_by_itself_counts_for_nobody(client):
    assert statuses(client, 10, x_glad_site=SECRET) == [401] * 10


def test_what_it_passes_on_counts_for_that_visitor_alone(client):
    one = {"x_glad_site": SECRET, "x_glad_visitor": "198.51.100.7"}
    assert statuses(client, 4, **one) == [401, 401, 401, 429]
    assert statuses(client, 1, **one | {"x_glad_visitor": "198.51.100.8"}) == [401]
    assert statuses(client, 4, **one | {"x_glad_visitor": "2001:db8::1"})[-1] == 429
    assert statuses(client, 1, **one | {"x_glad_visitor": "2001:db8::2"}) == [429]  # the same /64


def test_an_address_with_a_port_is_that_visitor_s(client):
    for written in ("198.51.100.77", "198.51.100.77:5678", "198.51.100.77:9"):
        assert statuses(client, 1, x_glad_site=SECRET, x_glad_visitor=written) == [401]
    assert statuses(client, 1, x_glad_site=SECRET, x_glad_visitor="198.51.100.77:1") == [429]
    assert statuses(client, 3, x_glad_site=SECRET, x_glad_visitor="[2001:db8:7::1]:443") == [401] * 3
    assert statuses(client, 1, x_glad_site=SECRET, x_glad_visitor="[2001:db8:7::2]") == [429]
    assert statuses(client, 2, x_glad_site=SECRET, x_glad_visitor="") == [401] * 2


def test_who_does_not_have_the_secret_is_who_they_are(client):
    told = {"x_glad_site": SECRET[:-1], "x_glad_visitor": "203.0.113.1"}
    assert statuses(client, 4, **told) == [401, 401, 401, 429]
    assert statuses(client, 1, x_glad_visitor="203.0.113.2") == [429]
    assert statuses(client, 1, x_glad_site="") == [429]


def test_a_visitor_that_is_no_address_is_the_sites_server(client):
    """Anybody may write `X-Forwarded-For` where no proxy does: it must not be a way to ask without a limit."""
    assert statuses(client, 4, x_glad_site=SECRET, x_glad_visitor="x")[-1] == 429
    assert statuses(client, 1, x_glad_site=SECRET, x_glad_visitor="y") == [429]
