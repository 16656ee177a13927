"""An S3 server on loopback, moto's. Its content is in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from wsgiref.types import WSGIEnvironment

import boto3
import pytest
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3fs import S3FileSystem

from tests.store_server import BUCKET as BUCKET
from tests.store_server import StoreServer
from tests.store_server import failing as failing


class S3Server(StoreServer):
    """A bucket."""

    scheme = "s3"

    def __init__(self) -> None:
        app = DomainDispatcherApplication(create_backend_app)

        def maybe_unconditional(environ: WSGIEnvironment, start: Any) -> Any:
            if not self.conditional:
                environ.pop("HTTP_IF_NONE_MATCH", None)
            return app(environ, start)

        super().__init__(maybe_unconditional)
        key = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        self.client: Any = boto3.client("s3", endpoint_url=self.url, **key)
        """It is not gritmill's."""

    def _lists(self, environ: WSGIEnvironment) -> bool:
        return "list-type" in environ["QUERY_STRING"]

    def empty(self) -> None:
        """Makes the server what it was at its start, with an empty bucket."""
        get_backend("s3").reset()
        self.faults.clear()
        self.conditional = True
        self.generation += 1
        self.client.create_bucket(Bucket=BUCKET)
        self.requests.clear()

    def put(self, key: str, data: bytes = b"") -> str:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)
        return self.uri(key)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def changed(self, key: str) -> float:
        return float(self.client.head_object(Bucket=BUCKET, Key=key)["LastModified"].timestamp())

    def objects(self) -> dict[str, bytes]:
        client, found = self.client, {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page.get("Contents", []):
                found[item["Key"]] = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        return found

    def unfinished_uploads(self) -> list[str]:
        uploads = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [upload["Key"] for upload in uploads]


@cache
def _server() -> S3Server:
    """One for all tests of a process, which use it from then on: clients take half a second to start."""
    server = S3Server()
    os.environ.update(
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID="id",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )
    S3FileSystem.clear_instance_cache()  # clients that tests before have made
    return server


@contextmanager
def serving(_: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with an empty bucket, which this process and its children use for `s3://`."""
    server = _server()
    server.empty()
    yield server
