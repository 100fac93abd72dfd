"""A real S3 server (SeaweedFS, one process) on loopback, with one bucket. No tests here."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

KEY, SECRET = "lake-key", "lake-secret"
#: Each of its services listens on a second port, 10,000 higher, too.
GRPC_OFFSET = 10_000
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server.

    Attributes:
        url: of a folder in its bucket.
        options: that fsspec opens it with.
    """

    url: str
    options: dict[str, Any]


@contextmanager
def running_s3_server(bucket: str = "lake") -> Generator[S3Server]:
    """The server, its data in a temporary folder, ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="zeppelin-s3-"))
    ports = free_ports(4)
    identity = {"name": "lake", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    options = {"key": KEY, "secret": SECRET, "endpoint_url": f"http://127.0.0.1:{ports[3]}"}
    with (folder / "log").open("w") as log, subprocess.Popen(command(folder, ports), stdout=log, stderr=log) as server:
        try:
            make_bucket(bucket, options, server)
            yield S3Server(f"s3://{bucket}/zeppelin", options)
        finally:
            server.terminate()
            try:
                server.wait(2)
            except subprocess.TimeoutExpired:
                server.kill()
    shutil.rmtree(folder)


def command(folder: Path, ports: list[int]) -> list[str]:
    master, volume, filer, s3 = ports
    return [
        *(str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *(f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}"),
        *("-s3", f"-s3.port={s3}", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0"),
        *("-volume.max=50", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"),
    ]


def make_bucket(bucket: str, options: dict[str, Any], server: "subprocess.Popen[bytes]") -> None:
    """Makes the bucket as soon as the server answers."""
    until = time.monotonic() + START_SECONDS
    port = int(options["endpoint_url"].rpartition(":")[2])
    while is_free(port):
        assert server.poll() is None, "the S3 server ended"
        assert time.monotonic() < until, "the S3 server does not listen"
        time.sleep(0.1)
    fsspec.filesystem("s3", skip_instance_cache=True, **options).mkdir(bucket)


def free_ports(count: int) -> list[int]:
    """Ports whose seconds are free too, below what the server can count."""
    found: list[int] = []
    for port in range(21_300, 55_000):
        if is_free(port) and is_free(port + GRPC_OFFSET):
            found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
