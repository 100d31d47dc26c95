"""What a gRPC server offers, as it tells itself: its reflection service, spoken by hand (no package for two calls)."""

from collections.abc import Iterator
from pathlib import Path

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from glad_pipeline_tests.strangers import channel_to

ASK = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
LIST_SERVICES, FILE_CONTAINING = 7, 4  # fields of the request
FILES, SERVICES = 4, 6  # fields of the answer


def methods(port: int, keys: Path) -> list[str]:
    """Every call that the server has, as gRPC names them, for whoever has these keys; none if it does not tell."""
    with channel_to(port, {"ca": keys, "own": keys}) as channel:
        ask = channel.stream_stream(ASK)
        try:
            (told,) = ask(iter([_text(LIST_SERVICES, "*")]), timeout=10)
        except grpc.RpcError:
            return []
        names = {_one(service, 1).decode() for service in _all(_one(told, SERVICES), 1)}
        found = set()
        for name in names:
            (told,) = ask(iter([_text(FILE_CONTAINING, name)]), timeout=10)
            for file in map(FileDescriptorProto.FromString, _all(_one(told, FILES), 1)):
                for service in file.service:
                    if (full := f"{file.package}.{service.name}") in names:
                        found |= {f"/{full}/{method.name}" for method in service.method}
    return sorted(found)


def _text(field: int, value: str) -> bytes:
    return bytes([field << 3 | 2, len(value)]) + value.encode()


def _one(message: bytes, field: int) -> bytes:
    return next(_all(message, field), b"")


def _all(message: bytes, field: int) -> Iterator[bytes]:
    """The values of a field of bytes, in a protobuf message."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        length, at = _number(message, at)
        if key & 7 == 2:
            if key >> 3 == field:
                yield message[at : at + length]
            at += length


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not message[at - 1] & 0x80:
            return value, at
