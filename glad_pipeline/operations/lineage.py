"""One prompt with all that is known of it: where it stands, what happened to it, and its lineage.

From the post over the object and its copies to the recipe and the model.

Puts the rooms together: queue, catalogue, blog and outbox. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glad_pipeline.database import Connection, Database
from glad_pipeline.operations.prompt_texts import notices_of
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.messages import MessageStatus
from glad_pipeline.prompts import events, management
from glad_pipeline.prompts.events import Event
from glad_pipeline.prompts.management import PromptDetails
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.publishing.renditions import StoredRendition, renditions_of
from glad_pipeline.settings import Settings

MESSAGES = 100  # of one prompt, the newest


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A prompt, for a person who asks what became of it."""

    prompt: PromptDetails
    stands: str | None  # where it is, in words
    notices: Sequence[str]  # what is drawn in another way than it seems to be meant, or has no place on the blog
    history: Sequence[Event]  # the oldest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage(Account):
    """The same with its picture as the catalogue knows it, and who was told of picture and post."""

    image: CataloguedImage | None  # with recipe and provenance; None: not drawn yet
    renditions: Sequence[StoredRendition]  # the smaller copies that are stored
    messages: Sequence[MessageStatus]  # of the outbox, the newest first


def account_of(database: Database, prompt_id: int, settings: Settings) -> Account | None:
    """What there is to say of a prompt; None: there is no such prompt."""
    from glad_pipeline.pipeline.blog import without_place  # it brings the trial of a post with it

    prompt = management.show_prompt(database, prompt_id) if 0 < prompt_id < 2**63 else None
    if prompt is None:
        return None
    texts = notices_of(prompt, settings.engine)
    return Account(
        prompt=prompt,
        stands=events.where_it_stands(database, prompt_id, ahead=settings.draws_ahead),
        notices=(*texts, *filter(None, [prompt.notice_of_picture()]), *without_place(database, prompt)),
        history=events.history(database, prompt_id),
    )


def lineage_of(database: Database, prompt_id: int, settings: Settings) -> Lineage | None:
    """`account_of`, with picture and messages."""
    account = account_of(database, prompt_id, settings)
    if account is None:
        return None
    prompt = account.prompt
    post = prompt.post_id if prompt.published_post_id is None else prompt.published_post_id
    subjects = [f"image:{prompt.image_key}"] * (prompt.image_key is not None) + [f"post:{post}"] * (post is not None)

    def look(
        connection: Connection,
    ) -> tuple[CataloguedImage | None, list[StoredRendition], list[MessageStatus]]:
        if prompt.image_id is None:
            image, copies = None, []
        else:
            image, copies = images.find(connection, str(prompt.image_id)), renditions_of(connection, prompt.image_id)
        told = outbox.messages(connection, subjects=subjects, limit=MESSAGES) if subjects else []
        return image, copies, told

    image, copies, told = database.read(look)
    return Lineage(
        prompt=prompt,
        stands=account.stands,
        notices=account.notices,
        history=account.history,
        image=image,
        renditions=copies,
        messages=told,
    )
