"""Which runs lost their prompts to others, written down by the database itself at the moment it happens."""

from __future__ import annotations

from glad_pipeline.database import Connection

WHYS = LEASE_OVER, NO_LOCK = "its lease was over", "it seemed gone"


def watch(connection: Connection) -> None:
    """From now on every prompt that is taken from a run by another is recorded. Commits."""
    with connection.transaction():
        connection.execute(
            "CREATE TABLE rig_takeovers (run text NOT NULL, prompt bigint NOT NULL, lease_over boolean NOT NULL,"
            " at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        connection.execute(
            "CREATE FUNCTION rig_taken_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO rig_takeovers (run, prompt, lease_over)"
            " VALUES (OLD.claimed_by, OLD.id, OLD.lease_expires_at < now()); RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE TRIGGER rig_taken_over AFTER UPDATE ON prompts FOR EACH ROW"
            " WHEN (OLD.status = 'claimed' AND NEW.claim_token IS NULL"
            "       AND NEW.last_error LIKE 'run ' || OLD.claimed_by || ' ended without finishing it%')"
            " EXECUTE FUNCTION rig_taken_over()"
        )


def takeovers(connection: Connection) -> dict[str, str]:
    """Run id → why its prompts were another's to take, one of WHYS."""
    rows = connection.execute("SELECT run, bool_or(lease_over) AS lease_over FROM rig_takeovers GROUP BY run")
    return {row["run"]: LEASE_OVER if row["lease_over"] else NO_LOCK for row in rows}
