"""The little of perfetto's trace format that power rails need: protocol buffers, read field by field.

Field numbers: perfetto, protos/perfetto/trace/perfetto_trace.proto (Trace.packet 1, TracePacket.power_rails 40;
PowerRails: rail_descriptor 1 {index 1, rail_name 2}, energy_data 2 {index 1, timestamp_ms 2, energy 3 in
microwatt-seconds}) and the wire format of protobuf.dev. perfetto's own Python package reads traces with a program that
it fetches when it runs, which these few fields are not worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_PACKET, _RAILS = 1, 40


@dataclass
class Rails:
    """The energy counters of a trace.

    Attributes:
        names: of the rails by index.
        counts: (milliseconds of the boot clock, microjoules) by index, in the order of the trace.
    """

    names: dict[int, str] = field(default_factory=dict)
    counts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def rails(trace: bytes) -> Rails:
    """The power rails of a trace.

    Raises:
        ValueError: the bytes are no whole trace.
    """
    found = Rails()
    for number, packet in _fields(trace):
        if number == _PACKET and isinstance(packet, bytes):
            for inner, message in _fields(packet):
                if inner == _RAILS and isinstance(message, bytes):
                    _read(message, found)
    return found


def _read(message: bytes, into: Rails) -> None:
    for number, part in _fields(message):
        if not isinstance(part, bytes):
            continue
        values = dict(_fields(part))
        index = values.get(1, 0)
        if not isinstance(index, int):
            raise ValueError("a rail's index is no number")
        if number == 1 and isinstance(name := values.get(2, b""), bytes):
            into.names[index] = name.decode(errors="replace")
        elif number == 2:
            at_ms, energy = values.get(2, 0), values.get(3, 0)
            if isinstance(at_ms, int) and isinstance(energy, int):
                into.counts.setdefault(index, []).append((at_ms, energy))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every (number, value) of a message: varints as int, the rest as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + length > len(data):
            raise ValueError("the trace ends in the middle of a packet")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the trace ends in the middle of a number")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
