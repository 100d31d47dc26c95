"""The pool of the event loop against a real server: away, back, silent, and behind a pooler in transaction mode."""

import asyncio
import os
import signal
import time
from contextlib import contextmanager

import psycopg
import pytest

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import DatabaseError
from glad_pipeline.database.pool import Pool
from glad_pipeline_tests.poolers import pgbouncer


def pool_of(url, connections=4):
    return Pool(url, connections=connections, application_name="glad test", blog=BlogNames())


@contextmanager
def silent(pid):
    """A server's process that says nothing for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_connections_that_the_server_has_closed_are_not_used_again(migrated_url):
    async def look():
        async with pool_of(migrated_url) as pool:
            rows = await asyncio.gather(*(pool.row("SELECT pg_backend_pid() AS pid, pg_sleep(0.1)") for _ in range(4)))
            pids = {row["pid"] for row in rows}
            with psycopg.connect(migrated_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [list(pids)])
            again = await asyncio.gather(*(pool.row("SELECT pg_backend_pid() AS pid") for _ in range(4)))
            return pids, {row["pid"] for row in again}

    before, after = asyncio.run(look())
    assert len(before) == 4
    assert not before & after


def test_a_server_that_is_away_is_said_at_once_and_found_as_soon_as_it_is_back(migrated_url):
    async def look(url):
        async with pool_of(url) as pool:
            began = time.monotonic()
            with pytest.raises(DatabaseError, match=r"did not answer: connection .* refused"):
                await pool.row("SELECT 1 AS one")
            return time.monotonic() - began

    assert asyncio.run(look("postgresql://glad:secret@127.0.0.1:1/nowhere")) < 1


def test_a_server_that_says_nothing_is_given_up_in_time_and_its_connection_closed(migrated_url):
    async def look():
        async with pool_of(migrated_url) as pool:
            pid = (await pool.row("SELECT pg_backend_pid() AS pid"))["pid"]
            with silent(pid):
                began = time.monotonic()
                with pytest.raises(DatabaseError, match="did not answer"):
                    await pool.row("SELECT 1 AS one", within=0.5)
                took = time.monotonic() - began
                another = (await pool.row("SELECT pg_backend_pid() AS pid"))["pid"]
            return took, pid, another

    took, pid, another = asyncio.run(look())
    assert took < 2
    assert another != pid


def test_a_line_that_is_lost_already_is_cut_without_a_word(migrated_url):
    async def look():
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with pool_of(migrated_url) as pool, pool.connection(within=0.1) as connection:
            await connection.close()
            await asyncio.sleep(0.3)
        return told

    assert asyncio.run(look()) == []


def test_a_statement_ends_in_the_server_before_it_is_cut_unless_the_url_says_when(migrated_url):
    async def look(url):
        async with pool_of(url) as pool:
            return (await pool.row("SHOW statement_timeout"))["statement_timeout"]

    assert asyncio.run(look(migrated_url)) == "8s"
    between = "&" if "?" in migrated_url else "?"
    assert asyncio.run(look(f"{migrated_url}{between}options=-c%20statement_timeout%3D3s")) == "3s"
    with pgbouncer(migrated_url, "transaction") as url:  # there it would be another client's too
        assert asyncio.run(look(url)) == "0"


def test_who_waits_for_a_connection_is_told_that_all_are_busy(migrated_url):
    async def look():
        async with pool_of(migrated_url, connections=1) as pool:
            holds = asyncio.create_task(pool.row("SELECT pg_sleep(1)"))
            await asyncio.sleep(0.1)
            with pytest.raises(DatabaseError, match=r"all 1 connections of this process .* were busy"):
                await pool.row("SELECT 1 AS one", within=0.3)
            await holds
            return await pool.row("SELECT 1 AS one")

    assert asyncio.run(look()) == {"one": 1}


def test_a_pooler_in_transaction_mode_serves_reads_with_our_time_zone_and_leaves_others_as_they_are(migrated_url):
    async def look(url):
        async with pool_of(url) as one, pool_of(url) as two:
            for _ in range(12):  # psycopg prepares what it has seen five times
                rows = await asyncio.gather(
                    *(
                        pool.row("SELECT %(n)s::int AS n, now() AS now", {"n": 7})
                        for pool in (one, two)
                        for _ in range(3)
                    )
                )
                assert {row["n"] for row in rows} == {7}
                assert {str(row["now"].tzinfo) for row in rows} == {"UTC"}

    with pgbouncer(migrated_url, "transaction", default_pool_size=2) as url:
        asyncio.run(look(url))
        with psycopg.connect(url, autocommit=True) as other:
            assert other.execute("SHOW default_transaction_isolation").fetchone() == ("read committed",)
