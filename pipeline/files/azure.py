"""Azure's containers, where adlfs differs from the clients of other stores.

adlfs 2026.8 does not list what is below a file, publishes a file that is closed or dropped, also after an exception,
and does not wait until a copy is complete. Import this module only when such a container is used.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock
from fsspec.asyn import sync

_FOLDER_MARKS = ("hdi_isfolder", "is_directory")
"""Metadata of empty blobs that stand for folders: those of Azure's data lakes, and those of adlfs."""

_EXISTS = ("BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList")
"""What Azure says if there is a blob already. Its commit removes the uncommitted blocks of all writers."""


def list_blobs(files: Any, folder: str, flat: bool) -> list[dict[str, Any]]:
    """What is in a folder or, if `flat`, the files below it, as fsspec's `ls` does.

    Raises:
      FileNotFoundError: there is no such container.
    """
    return sync(files.loop, _list_blobs, files, folder, flat)  # type: ignore[no-any-return]


async def _list_blobs(files: Any, folder: str, flat: bool) -> list[dict[str, Any]]:
    container, _, key = folder.partition("/")
    client = files.service_client.get_container_client(container)
    blobs = client.list_blobs if flat else client.walk_blobs
    found = []
    try:
        async for blob in blobs(name_starts_with=key and key.rstrip("/") + "/", include=["metadata"]):
            marks = {name.lower(): value for name, value in (blob.get("metadata") or {}).items()}
            is_folder = "size" not in blob or any(marks.get(mark) == "true" for mark in _FOLDER_MARKS)
            found.append(
                {
                    "name": f"{container}/{blob.name.rstrip('/') if is_folder else blob.name}",
                    "type": "directory" if is_folder else "file",
                    "size": blob.get("size"),
                    "last_modified": blob.get("last_modified"),
                }
            )
    except ResourceNotFoundError as error:
        raise FileNotFoundError(folder) from error
    return found


def upload_blocks(
    files: Any, path: str, source: BinaryIO, block_bytes: int, ask: Callable[[], None], create: bool
) -> None:
    """Uploads a file in blocks, and asks before it appears. Azure removes blocks that belong to no blob after a week.

    Raises:
      FileExistsError: there is a blob, with `create`.
    """
    blob = files.service_client.get_blob_client(*path.split("/", 1))
    blocks = []
    while data := source.read(block_bytes):
        name = uuid.uuid4().hex  # equally long for all blocks, also those of other writers
        sync(files.loop, blob.stage_block, name, data, len(data))
        blocks.append(BlobBlock(name))
    ask()
    try:
        condition = {"match_condition": MatchConditions.IfMissing} if create else {}
        sync(files.loop, blob.commit_block_list, blocks, **condition)
    except HttpResponseError as error:
        if create and getattr(error, "error_code", "") in _EXISTS:
            raise FileExistsError(path) from error
        raise


def copy_blob(files: Any, path: str, target: str) -> None:
    """Copies a blob, and waits until it is there."""
    sync(files.loop, _copy_blob, files, path, target)


async def _copy_blob(files: Any, path: str, target: str) -> None:
    source = files.service_client.get_blob_client(*path.split("/", 1))
    blob = files.service_client.get_blob_client(*target.split("/", 1))
    try:
        status = (await blob.start_copy_from_url(source.url))["copy_status"]
    except ResourceNotFoundError as error:
        raise FileNotFoundError(path) from error
    while status == "pending":
        await asyncio.sleep(0.5)
        status = (await blob.get_blob_properties()).copy.status
    if status != "success":
        raise OSError(f"{path}: it is not copied ({status})")
