"""What tests and benchmarks use is what they have made: nothing of the person's own, whatever the environment says.

Imports nothing of the product before `forget_the_persons` was called: settings are read at import in some places.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
THEIRS = ("DATABASE_URL", "GLAD_", "AWS_", "DAGSTER_", "PG", "RAY_", "SUPABASE_")  # how the names begin
OURS = {"GLAD_FUZZ", "GLAD_MODEL_EXAMPLES"}  # how much the tests try: no setting of the product


def forget_the_persons() -> None:
    """Take the person's settings, database, bucket and profile out of this process's environment, and their `.env`."""
    for name in [name for name in os.environ if name.startswith(THEIRS) and name not in OURS]:
        del os.environ[name]
    os.environ["GLAD_ENV_FILE"] = os.devnull
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def require_no_env_file(folder: Path = ROOT) -> None:
    """For who starts Dagster's commands in the repository: these write its `.env` over the environment they are given.

    Raises `SystemExit` where it names anything of the person's own.
    """
    from dotenv import dotenv_values

    if named := [name for name in dotenv_values(folder / ".env") if name.startswith(THEIRS)]:
        raise SystemExit(
            f"{folder / '.env'} sets {', '.join(named)}: Dagster would read it, and work on what is yours. Move it away "
            "for as long as this runs"
        )


def own_settings(home: Path) -> Settings:
    """Those of an embedded PostgreSQL and S3 server in this folder, whatever the environment names."""
    from glad_pipeline.settings import Settings

    servers = ("DATABASE_URL", "DAGSTER_DATABASE_URL", "AWS_S3_BUCKET", "AWS_ENDPOINT_URL_S3", "AWS_CLOUDFRONT_DOMAIN")
    return Settings(GLAD_HOME=home, _env_file=None, **dict.fromkeys(servers))  # type: ignore[call-arg,arg-type]
