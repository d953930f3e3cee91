"""A local S3 server (moto) in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.answering import wait_for_answer
from tests.live import free_port

BUCKET = "captions"
KEYS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """At a port that stays its own: it can be away for a while. What it held is gone then."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which it is found."""
        return {**KEYS, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}"}

    def start(self) -> None:
        """Returns when it answers and has an empty BUCKET."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_answer(f"http://127.0.0.1:{self.port}/", self._process)
        self.client().create_bucket(Bucket=BUCKET)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def objects(self) -> dict[str, bytes]:
        """Everything in BUCKET, by key."""
        listed = self.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {entry["Key"]: self._content(entry["Key"]) for entry in listed}

    def client(self) -> object:
        import boto3

        keys = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", **keys)

    def _content(self, key: str) -> bytes:
        return self.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()
