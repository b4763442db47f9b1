"""Messages to bytes and back: CloudEvents 1.0 in the structured JSON form, validated on arrival.

Extension attributes of ours: `visit` and `cause` (the `id` of the message that led to this one: one trace from advertisement
to gate passage, row C7), and for numbered streams `epoch`, `seq` and `floor` (see `delivery`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)

from contract import topics
from contract.errors import BadMessage
from contract.messages import BY_NAME, Channel
from contract.payloads import MessageId, Payload

MAX_BYTES = 64 * 1024
"""A longer message is refused unread: the largest honest one, a coupon of 60 lines, is under 25 KiB."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Place of a message in its sender's stream: `seq` counts 1, 2, 3 … within `epoch`.

    `floor` is the lowest number that the sender still holds: what lies below was acknowledged or dropped on purpose, so
    that a receiver never waits for it.
    """

    epoch: str
    seq: int
    floor: int = 1


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the contract, decoded. `ids` are the varying levels of its topic, without the store."""

    channel: Channel
    ids: dict[str, str]
    data: Payload
    id: str
    source: str
    time: datetime | None = None
    visit: str | None = None
    cause: str | None = None
    numbering: Numbering | None = None
    store: str = field(default="", compare=False)


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    id: MessageId
    source: Annotated[str, StringConstraints(min_length=1, max_length=140)]
    time: AwareDatetime | None = None
    visit: Annotated[str, StringConstraints(max_length=128)] | None = None
    cause: MessageId | None = None
    epoch: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    seq: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    floor: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1


@cache
def adapter(channel: Channel) -> TypeAdapter[Any]:
    """The validator of a whole message of this row, envelope and data in one pass."""
    kind = Literal[channel.event_type]  # type: ignore[name-defined]
    fields: dict[str, Any] = {"type": (kind, ...), "data": (channel.payload, ...)}
    return TypeAdapter(create_model(f"{channel.name}_message", __base__=_Envelope, **fields))


def source_of(channel: Channel, ids: dict[str, str]) -> str:
    """The only `source` that may speak on this topic: `agent/door-1`. Rows where the hub speaks to others: `hub`."""
    own = ids.get(channel.publisher.value)
    return f"{channel.publisher.value}/{own}" if own else channel.publisher.value


def encode(message: Message) -> bytes:
    """One message as bytes. The order of keys is fixed: the same message gives the same bytes."""
    head: dict[str, Any] = {
        "specversion": "1.0",
        "id": message.id,
        "source": message.source,
        "type": message.channel.event_type,
    }
    if message.time is not None:
        head["time"] = message.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if message.visit is not None:
        head["visit"] = message.visit
    if message.cause is not None:
        head["cause"] = message.cause
    if message.numbering is not None:
        head["epoch"] = message.numbering.epoch
        head["seq"] = message.numbering.seq
        head["floor"] = message.numbering.floor
    return _join(head, message.data)


_HEAD = TypeAdapter(dict[str, Any]).serializer.to_json


def _join(head: dict[str, Any], data: Payload) -> bytes:
    # The data is serialised by its own model, straight to bytes: half the time of a detour over dictionaries.
    body = data.__pydantic_serializer__.to_json(data, exclude_none=True)
    return _HEAD(head)[:-1] + b',"data":' + body + b"}"


@lru_cache(maxsize=4096)
def _way(topic: str) -> tuple[Channel, Callable[[bytes], Any], str, dict[str, str], str]:
    """What a topic says of its messages: row, validator, who may speak, IDs, store. Raises UnknownTopic."""
    channel, ids = topics.parse(topic)
    own = {name: value for name, value in ids.items() if name != "store"}
    return channel, adapter(channel).validator.validate_json, source_of(channel, ids), own, ids["store"]


def decode(topic: str, payload: bytes) -> Message:
    """One message from a topic and its bytes.

    Raises UnknownTopic when the topic is no row, BadMessage (`too_large`, `not_json`, `schema`, `wrong_source`,
    `unnumbered`) when the bytes do not fit it. Nothing else.
    """
    channel, validate, expected, ids, store = _way(topic)
    if len(payload) > MAX_BYTES:
        raise BadMessage(topic, "too_large", f"{len(payload)} bytes, at most {MAX_BYTES} are allowed")
    try:
        read = validate(payload)
    except ValidationError as error:
        raise _bad(topic, error, tell=channel.at_broker) from None
    if read.source != expected:
        found = f"source is {read.source!r}, " if channel.at_broker else ""
        raise BadMessage(topic, "wrong_source", f"{found}on this topic only {expected!r} may speak")
    numbering = None
    if channel.stream is not None:
        if read.seq is None or read.epoch is None:
            raise BadMessage(
                topic, "unnumbered", f"{channel.event_type} travels in a numbered stream: seq and epoch are missing"
            )
        numbering = Numbering(read.epoch, read.seq, read.floor)
    return Message(
        channel,
        ids.copy(),
        read.data,
        read.id,
        read.source,
        read.time,
        read.visit,
        read.cause,
        numbering,
        store,
    )


def _bad(topic: str, error: ValidationError, *, tell: bool) -> BadMessage:
    """`tell`: say what was found. Not of what a member's terminal sends: it may be a reading, and this is logged."""
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return BadMessage(topic, "not_json", f"this is no JSON ({first['msg']})")
    where = ".".join(str(part) for part in first["loc"])[:120] or "message"
    found = f", found {repr(first.get('input'))[:80]}" if tell else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return BadMessage(topic, "schema", f"{where}: {first['msg']}{found}{more}")


def channel(name: str) -> Channel:
    """The row of this name; raises KeyError for a name that is none."""
    return BY_NAME[name]
