"""What a command needs to find: a database and an object store, given by settings or started here.

Turns settings into the environment of every process we start, and writes it for other shells. Knows the servers,
not what is kept in them.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from dotenv import dotenv_values
from psycopg import sql

from glad_pipeline.database import connect, describe, first_words, is_of_this_machine
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local.home import Home, write_atomically
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.processes import is_still
from glad_pipeline.local.volume import VolumeServer
from glad_pipeline.settings import Settings, unknown_variables
from glad_pipeline.urls import libpq_url, parts_of

DATABASE = "glad"
EMBEDDED = "GLAD_EMBEDDED"  # which exported values are ours, each with its fingerprint
GROUPS = ("database", "store", "site")  # of exported variables
STORE = {  # beside AWS's
    *("GLAD_STORE", "GLAD_VOLUME", "GLAD_PUBLIC_BASE_URL"),
    *("SUPABASE_URL", "SUPABASE_KEY", "GLAD_SUPABASE_BUCKET"),
}
_ONLY_HERE = (
    "DATABASE_URL is set and GLAD_PUBLIC_BASE_URL is not: posts in {where} would get the pictures' URLs of a file "
    "server of this machine, http://127.0.0.1:…, which nobody else can open. Set it to the address at which your web "
    "server shows `public` in GLAD_VOLUME, or GLAD_EMBEDDED_STORE=true if that is what you want"
)
# libpq reads these too: dagster.yaml can then stay with host, port, user, password and database.
LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def project_root() -> Path:
    """The repository this package lies in; the working directory for a package installed without one."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").exists() else Path.cwd()


def settings_file() -> Path:
    """The file of settings: `.env` in the repository, or the one that GLAD_ENV_FILE names."""
    return Path(os.environ.get("GLAD_ENV_FILE") or project_root() / ".env")


def lasting_settings() -> dict[str, str]:
    """What the file of settings says."""
    return {name: value for name, value in dotenv_values(settings_file()).items() if value}


def ensure(settings: Settings, *, foreground: bool = False) -> dict[str, str]:
    """The environment a command needs; servers that are absent from the settings are started if they do not run.

    With `foreground` the servers started now end with this process; otherwise they stay until `glad down`.
    Raises `UsageError` for settings that are half given, `GladError` for servers that do not come up.
    """
    check(settings)
    home = Home(settings.home).prepare()
    ours: dict[str, str] = {}
    with home.lock():
        exports = {"GLAD_HOME": str(home.path), "DAGSTER_HOME": str(home.path / "dagster")}
        if settings.database_url is None:
            server = Postgres(home)
            server.start(die_with_us=foreground)
            _create(server.url(), DATABASE)
            exports["DATABASE_URL"] = ours["DATABASE_URL"] = server.url(DATABASE)
        else:
            exports["DATABASE_URL"] = settings.database_url.get_secret_value()
        dagster = _dagster_database(settings, exports["DATABASE_URL"])
        exports |= dagster
        if settings.dagster_database_url is None:
            # DAGSTER_PG_* is overwritten each time and read by no setting
            ours |= {name: value for name, value in dagster.items() if not name.startswith("DAGSTER_PG_")}
        brought = start_store(settings, home, foreground=foreground)
        told = _site(settings, home)
        exports |= _given_store(settings) | brought | told
        ours |= told
        ours |= {name: value for name, value in brought.items() if name != "GLAD_VOLUME" or settings.volume is None}
        _lay_dagster_home(home)
        exports[EMBEDDED] = ",".join(f"{name}:{_fingerprint(value)}" for name, value in ours.items())
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in _lasting(home, exports).items()]
        write_atomically(home.path / ".env", "".join(lines))
    return environment(settings, exports)


def _site(settings: Settings, home: Home) -> dict[str, str]:
    """What tells the site that a `glad up` serves, where the settings name none; call it under the home's lock."""
    known = home.recall("site")
    if settings.site_url or not known or not is_still(known["pid"], known["created"]):
        return {}
    secret = {} if settings.revalidate_secret else {"GLAD_REVALIDATE_SECRET": home.secret("revalidate")}
    return {"GLAD_SITE_URL": known["url"], **secret}


def start_store(settings: Settings, home: Home, *, foreground: bool = False) -> dict[str, str]:
    """Start what is missing of the store, under the home's lock; what a client needs, by the settings' names."""
    if settings.names_store:
        return {}
    server = server_of(settings, home)
    server.start(die_with_us=foreground)
    return server.environment()


def server_of(settings: Settings, home: Home) -> S3Server | VolumeServer:
    """What shows visitors the pictures where the settings name nobody who does."""
    return VolumeServer(home, settings.volume) if settings.store_kind == "volume" else S3Server(home)


def _lasting(home: Home, exports: Mapping[str, str]) -> dict[str, str]:
    """What other shells are to find: not what was given for this command alone, in place of which the file stays as it
    was. What lasts is ours, or stands in the repository's `.env`."""
    written = lasting_settings()
    marks = dict(mark.split(":", 1) for mark in exports[EMBEDDED].split(",") if mark)
    before = {name: value for name, value in dotenv_values(home.path / ".env").items() if value is not None}
    marks_before = dict(mark.split(":", 1) for mark in before.pop(EMBEDDED, "").split(",") if ":" in mark)
    lasting = {name: value for name, value in exports.items() if _group(name) is None and name != EMBEDDED}
    kept: dict[str, str] = {}
    for group in GROUPS:
        own = {name: value for name, value in exports.items() if _group(name) == group}
        given = {  # but for what no setting reads: a shell that has sourced the file hands it back to us
            name
            for name, value in own.items()
            if name not in marks
            and not name.startswith(("DAGSTER_PG_", "PGSSL"))
            and _is(name, os.environ.get(name), value)
        }
        once = any(not _is(name, written.get(name), own[name]) for name in given)
        some, known = (before, marks_before) if once else (own, marks)
        lasting |= {name: value for name, value in some.items() if _group(name) == group}
        kept |= {name: mark for name, mark in known.items() if _group(name) == group}
    return lasting | {EMBEDDED: ",".join(f"{name}:{mark}" for name, mark in kept.items())}


def _is(name: str, given: str | None, exported: str) -> bool:
    """Whether a value as somebody gave it is what was exported of it: a database's URL in libpq's form."""
    return given is not None and (libpq_url(given) if name.endswith("DATABASE_URL") else given) == exported


def _group(name: str) -> str | None:
    """Which of GROUPS a variable belongs to: they are given together, or not at all."""
    if name.startswith("AWS_") or name in STORE:
        return "store"
    if name in ("GLAD_SITE_URL", "GLAD_REVALIDATE_SECRET"):
        return "site"
    return "database" if name != "DAGSTER_HOME" and name.startswith(("DATABASE_", "DAGSTER_", "PGSSL")) else None


def forget_ours(variables: MutableMapping[str, str]) -> None:
    """Remove the values that an earlier `ensure` has exported: `glad run` and sourced shells hand them back to us.

    They are known by the variable GLAD_EMBEDDED beside them, also when the servers have moved or gone since. A value
    that a person has changed since stays, and so does what they had given themselves.
    """
    for mark in filter(None, variables.pop(EMBEDDED, "").split(",")):
        name, _, fingerprint = mark.partition(":")
        if name in variables and _fingerprint(variables[name]) == fingerprint:
            del variables[name]


def _fingerprint(value: str) -> str:
    """Enough to know a value again, in place of the secret itself."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def check(settings: Settings) -> None:
    """Raises `UsageError` for a store that is named by half."""
    if settings.store_kind is None:
        for name, value in (
            ("AWS_ENDPOINT_URL_S3", settings.s3_endpoint_url),
            ("AWS_CLOUDFRONT_DOMAIN", settings.cloudfront_domain),
            ("GLAD_S3_SSE", settings.s3_sse),
            ("GLAD_S3_ACL", settings.s3_acl),
            ("GLAD_S3_STORAGE_CLASS", settings.s3_storage_class),
            ("GLAD_S3_PROXY_URL", settings.s3_proxy_url and "a proxy"),
        ):
            if value:
                raise UsageError(
                    f"{name} is set to {value} but AWS_S3_BUCKET is not. Set AWS_S3_BUCKET to use that store, "
                    f"or unset {name} to use the embedded one"
                )
        for field, name in (("supabase_key", "SUPABASE_KEY"), ("supabase_bucket", "GLAD_SUPABASE_BUCKET")):
            if field in settings.model_fields_set:
                raise UsageError(
                    f"{name} is set but SUPABASE_URL is not. Set SUPABASE_URL to the project's address to keep the "
                    f"pictures there, or unset {name} to use the embedded store"
                )
    elif settings.store_kind == "s3" and (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        given, missing = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
        if settings.s3_access_key_id is None:
            given, missing = missing, given
        raise UsageError(f"{given} is set but {missing} is not. Set both, or neither to use boto3's default chain")


def check_embedded_store(settings: Settings) -> None:
    """For what publishes. Raises `UsageError` where a person's own database would get URLs of the embedded store.

    Those open on this machine alone, so a database on this machine may have them, unless a variable of the store is
    misspelt.
    """
    if settings.database_url is None or settings.names_store or settings.embedded_store:
        return
    url = settings.database_url.get_secret_value()
    misspelt = "; ".join(
        f"{name} is no setting, {nearest} is"
        for name, nearest in unknown_variables(os.environ).items()
        if name.upper().startswith("AWS_") and nearest  # what is like none of ours is another tool's
    )
    if settings.store_kind == "volume":
        if not is_of_this_machine(url):
            raise UsageError(_ONLY_HERE.format(where=describe(url)))
        return
    if misspelt or not is_of_this_machine(url):
        raise UsageError(
            f"DATABASE_URL is set and AWS_S3_BUCKET is not{f' ({misspelt})' if misspelt else ''}: posts in "
            f"{describe(url)} would get the pictures' URLs of an embedded S3 server, http://127.0.0.1:…, which nobody "
            "else can open. Set AWS_S3_BUCKET to your bucket, or GLAD_EMBEDDED_STORE=true if that is what you want"
        )


def environment(settings: Settings, exports: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with the exports in it, and this Python's programs first on PATH."""
    inherited = dict(os.environ)
    if settings.store_kind is None:  # a person's AWS profile, token or endpoint must not reach the embedded store
        inherited = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    programs = str(Path(sys.executable).parent)
    path = [programs, *(part for part in inherited.get("PATH", "").split(os.pathsep) if part != programs)]
    return inherited | dict(exports) | {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": sys.prefix}


def stop(settings: Settings) -> list[str]:
    """Stop the embedded servers, the store first. Returns the names of those that ran."""
    home = Home(settings.home)
    if not home.path.exists():
        return []
    home.prepare()
    with home.lock():
        stopped = [
            ("the S3 server", S3Server(home).stop()),
            ("the file server", VolumeServer(home, None).stop()),
            ("PostgreSQL", Postgres(home).stop()),
        ]
    return [name for name, ran in stopped if ran]


def _given_store(settings: Settings) -> dict[str, str]:
    """A store of the person's own, by the names every process of ours reads; what is absent is left to boto3."""
    if settings.store_kind is None:
        return {}
    always = {"AWS_S3_REGION": settings.s3_region} if settings.store_kind == "s3" else {}
    optional = {
        "GLAD_STORE": settings.store,
        "GLAD_VOLUME": settings.volume,
        "GLAD_PUBLIC_BASE_URL": settings.public_base_url,
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_KEY": settings.supabase_key and settings.supabase_key.get_secret_value(),
        "GLAD_SUPABASE_BUCKET": settings.supabase_bucket if settings.store_kind == "supabase" else None,
        "AWS_S3_BUCKET": settings.s3_bucket,
        "AWS_ENDPOINT_URL_S3": settings.s3_endpoint_url,
        "AWS_ACCESS_KEY_ID": settings.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_access_key and settings.s3_secret_access_key.get_secret_value(),
        "AWS_SESSION_TOKEN": settings.s3_session_token and settings.s3_session_token.get_secret_value(),
        "AWS_CLOUDFRONT_DOMAIN": settings.cloudfront_domain,
    }
    return always | {name: value for name, value in optional.items() if value}


def _dagster_database(settings: Settings, database_url: str) -> dict[str, str]:
    """Dagster's own database and the parts of its URL that dagster.yaml reads; created unless it was named."""
    if settings.dagster_database_url is not None:
        url = settings.dagster_database_url.get_secret_value()
    else:
        with connect(database_url) as connection:
            name = f"{connection.info.dbname}_dagster"
        _create(database_url, name)
        url = _with_database(database_url, name)
    with connect(url, application_name="glad up") as connection:
        info = connection.info
        parts = {
            "DAGSTER_DATABASE_URL": url,
            "DAGSTER_PG_HOST": info.host or "localhost",
            "DAGSTER_PG_PORT": str(info.port),
            "DAGSTER_PG_USER": info.user,
            "DAGSTER_PG_PASSWORD": info.password,
            "DAGSTER_PG_DB": info.dbname,
        }
    given = parts_of(url)
    return parts | {variable: given[key] for key, variable in LIBPQ.items() if given.get(key)}


def _create(url: str, name: str) -> None:
    """Create a database unless it exists; two at once are fine."""
    with connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
        except psycopg.Error as error:
            raise GladError(
                f"the database {name} for Dagster's own tables could not be created at {describe(url)}: "
                f'{first_words(error)}. Have an administrator run one of: CREATE DATABASE "{name}" OWNER '
                f'"{connection.info.user}"; or ALTER ROLE "{connection.info.user}" CREATEDB. Or '
                "set DAGSTER_DATABASE_URL to another database"
            ) from error


def _with_database(url: str, name: str) -> str:
    """The same server, another database, in the form the URL came in."""
    parts = parts_of(url)
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in parts.items() if key != "dbname")
    return f"postgresql:///{quote(name, safe='')}?{query}"


def _lay_dagster_home(home: Home) -> None:
    """Dagster reads its instance's settings from DAGSTER_HOME: ours, afresh at every start."""
    folder = home.path / "dagster"
    folder.mkdir(mode=0o700, exist_ok=True)
    ours = project_root() / "dagster.yaml"
    if ours.exists():
        write_atomically(folder / "dagster.yaml", ours.read_text(encoding="utf-8"))
