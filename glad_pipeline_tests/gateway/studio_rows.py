"""Rows as a run leaves them, for tests of what people do with them, and the terminal's own answers to compare with."""

import json

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.settings import Settings

URL = "https://pictures.example/"
PATHS = {
    "claimed": ("claimed",),
    "pending": (),
    "failed": ("claimed", "failed"),
    "generated": ("claimed", "generated"),
    "awaiting_approval": ("claimed", "generated", "awaiting_approval"),
    "ready": ("claimed", "ready"),
    "published": ("claimed", "generated", "published"),
}


def sql(database, statement, *values):
    with database.transaction() as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def image_in(database, number):
    """A picture of the catalogue with a thumbnail and two renditions; its id."""
    stem = f"generated/ab/{number:032x}"
    [row] = sql(
        database,
        """INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,
                               model_revision, verified_at, thumbnail_url, placeholder)
           VALUES (%s, %s, %s, repeat('a', 64), 9, 64, 32, 'image/png', '{"seed": 5}', 'demo', '1', now(), %s, %s)
           RETURNING id""",
        *(f"{stem}.png", f"{number:064x}", f"{URL}{stem}.png", f"{URL}{stem}-256.webp", "data:image/webp;base64,AA"),
    )
    for width in (16, 32):
        sql(
            database,
            """INSERT INTO renditions (key, kind, width, height, bytes, sha256, image_id)
               VALUES (%s, 'webp', %s, 8, 5, repeat('b', 64), %s)""",
            *(f"{stem}-w{width}.webp", width, row["id"]),
        )
    return row["id"]


def prompt_in(database, status, **columns):
    """A prompt that has come to this state by the allowed steps; its id."""
    given = {"prompt": "a lake", "publish": "picture" if status == "ready" else "post", **columns}
    names, marks = ", ".join(given), ", ".join(["%s"] * len(given))
    [row] = sql(database, f"INSERT INTO prompts ({names}) VALUES ({marks}) RETURNING id", *given.values())
    image = image_in(database, row["id"]) if {"generated", "ready"} & {*PATHS[status]} else None
    for step in PATHS[status]:
        sql(
            database,
            """UPDATE prompts SET status = %s, image_id = %s, claim_token = 1, claimed_by = 'run',
                      lease_expires_at = now(), generated_at = now(), last_error = 'some error' WHERE id = %s""",
            *(step, image, row["id"]),
        )
    return row["id"]


def status_of(database, prompt_id):
    return sql(database, "SELECT status FROM prompts WHERE id = %s", prompt_id)[0]["status"]


def glad(capsys, settings: Settings, *words):
    """What a command prints, its JSON read."""
    code = invoke([str(word) for word in words], Runtime(settings))
    out = capsys.readouterr().out
    return code, json.loads(out) if "--json" in words else out
