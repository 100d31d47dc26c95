"""The Hugging Face hub: what its cache on this machine holds, and fetching what it lacks.

Through the hub's own client, which reads HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE. Knows repositories,
commits and files; `artifacts` says which files a model needs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glad_pipeline import disk
from glad_pipeline.display import first_line, in_bytes
from glad_pipeline.errors import GladError
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.redaction import hide

if TYPE_CHECKING:
    from huggingface_hub import RepoFile

_AGAIN = "`./glad model pull` again goes on with what is missing"
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def snapshot(source: str, commit: str) -> Path:
    """Where the cache has, or would have, a repository's files at a commit. No network; the folder may be absent."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{source.replace('/', '--')}" / "snapshots" / commit


def published_hash(file: Path) -> str | None:
    """What the hub says of a file in its cache: 64 hex digits, its SHA-256, or 40, git's; None where it says nothing.

    The cache keeps a file under its hash, and what has the file's name is a link to it.
    """
    name = file.readlink().name if file.is_symlink() else ""
    return name if _HASH.fullmatch(name) else None


def git_hash(file: Path) -> str:
    """40 hex digits, as git names the content."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def fetch(
    source: str,
    commit: str,
    choose: Callable[[Collection[str]], Collection[str]],
    hashes: FileHashes,
    say: Callable[[str], None],
) -> None:
    """Get into the cache what `choose` takes of the file names in a repository at a commit, the small files first.

    What is there already and as the hub has it is kept, what is damaged is fetched anew. A file takes its place only
    when all of it has come; it is then read once more against the hub's SHA-256, and `hashes` remembers that.

    Raises `GladError` with the cure: no network, offline mode, no such repository or commit, no permission, no space.
    """
    from huggingface_hub import HfApi, RepoFile, constants, get_token, hf_hub_download

    if constants.is_offline_mode():
        raise GladError(
            f"{source} is not whole in the hub's cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to fetch "
            "it. Unset HF_HUB_OFFLINE and run `./glad model pull` once, here or where HF_HOME is copied from"
        )
    token = get_token() or ""
    hide(token)
    if re.search(r"[^\x21-\x7e]", token):  # the client would refuse the header, and quote it
        raise GladError(
            "HF_TOKEN, or the token that `hf auth login` has kept, has signs in it that no token has: set it anew"
        )
    with _explained(source, commit):
        tree = HfApi().list_repo_tree(source, recursive=True, revision=commit)
        listing = {file.path: file for file in tree if isinstance(file, RepoFile)}
    directory = snapshot(source, commit)
    wanted = sorted((listing[name] for name in choose(listing)), key=lambda file: file.size)
    missing = [file for file in wanted if not _is_intact(directory / file.path, file, hashes)]
    size = sum(file.size for file in missing)
    _require_space(source, size, Path(constants.HF_HUB_CACHE))
    say(f"{source}: {len(missing)} of {len(wanted)} files to fetch, {in_bytes(size)}, into {directory}")
    for number, file in enumerate(missing, 1):
        say(f"  {number}/{len(missing)}  {file.path}  {in_bytes(file.size)}")
        local = directory / file.path
        with _explained(source, commit):
            hf_hub_download(source, file.path, revision=commit, force_download=local.exists())
        if not _is_intact(local, file, hashes):
            raise GladError(f"{local} is not what the hub has: it came damaged. {_AGAIN}")
        hashes.save()


def _is_intact(local: Path, file: RepoFile, hashes: FileHashes) -> bool:
    if not local.is_file() or local.stat().st_size != file.size:
        return False
    return hashes.sha256(local) == file.lfs.sha256 if file.lfs else git_hash(local) == file.blob_id


def _require_space(source: str, size: int, cache: Path) -> None:
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise GladError(
            f"{source} needs {in_bytes(size)} more, and the disk of {cache} has {in_bytes(free)} free. Free some "
            "space, or set HF_HOME to a directory on a larger disk"
        )


@contextmanager
def _explained(source: str, commit: str) -> Iterator[None]:
    """What the hub, the network or the disk refused, as a `GladError` with the cure."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise GladError(
            f"{source} is only for those who have accepted its licence: accept it on the model's page at the hub, and "
            "set HF_TOKEN to a token of that account"
        ) from error
    except RepositoryNotFoundError as error:
        raise GladError(
            f"the hub shows no repository {source}: check the name; if it is private, set HF_TOKEN to a token that may "
            "read it"
        ) from error
    except RevisionNotFoundError as error:
        raise GladError(f"{source} has no commit {commit}: take one from its page, Files → History") from error
    except HfHubHTTPError as error:
        raise _refused(source, error.response.status_code, error) from error
    except LocalEntryNotFoundError as error:  # the client's words for "the connection failed": the cause tells more
        raise _unreachable(source, error.__cause__ or error) from error
    except EntryNotFoundError as error:
        raise GladError(f"{source} lacks a file at {commit}: {_first_line(error)}") from error
    except OSError as error:
        raise _of_the_system(source, error) from error
    except Exception as error:  # the client's transport and its downloader in Rust raise their own kinds
        raise _unreachable(source, error) from error


def _refused(source: str, status: int, error: Exception) -> GladError:
    if status in (401, 403):
        cure = "Set HF_TOKEN to a valid token that may read it, or unset it if the repository is public"
    else:
        cure = f"Try later; {_AGAIN}"
    return GladError(f"the hub refuses {source} with status {status}: {_first_line(error)}. {cure}")


def _of_the_system(source: str, error: OSError) -> GladError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return GladError(
            f"{error.filename or 'the hub cache'} cannot be written ({os.strerror(error.errno)}): set HF_HOME to "
            "a directory of your own"
        )
    return _unreachable(source, error)


def _unreachable(source: str, error: BaseException) -> GladError:
    if disk.is_full(error):
        from huggingface_hub import constants

        full = disk.full(constants.HF_HUB_CACHE, "or set HF_HOME to a directory on a larger disk")
        return GladError(f"{source} could not be kept: {full}; {_AGAIN}")
    return GladError(
        f"{source} could not be fetched: {type(error).__name__}: {_first_line(error)}. Check the network (a proxy? "
        f"HF_ENDPOINT?); {_AGAIN}"
    )


def _first_line(error: BaseException) -> str:
    return re.sub(r"\?\S+", "?…", first_line(error))  # a query may carry a signature
