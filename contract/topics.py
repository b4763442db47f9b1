"""Topics: templates to topics, topics to rows of the table. Pure look-ups, no scan over the table per message."""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import UnknownTopic
from contract.messages import CHANNELS, Channel

PREFIX = "instore"
LEVEL_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_LEVEL = re.compile(LEVEL_PATTERN)
_FIELD = re.compile(r"\{(\w+)\}")


def is_level(text: str) -> bool:
    """Whether an ID is safe as one level of a topic: 1 to 64 letters, digits, `_`, `.`, `-`; no wildcard, no slash."""
    return _LEVEL.fullmatch(text) is not None


def fields(channel: Channel) -> tuple[str, ...]:
    """Names of the levels of a row that vary, in order: `("agent", "lane")`."""
    return tuple(_FIELD.findall(channel.topic))


def topic(channel: Channel, store: str, **ids: str) -> str:
    """The topic of a row: `topic(BY_NAME["sighting"], "ginza", agent="door-1")`.

    Raises ValueError when an ID is missing, unknown or not safe as a level of a topic.
    """
    if set(ids) != set(fields(channel)):
        raise ValueError(f"{channel.name} needs {fields(channel)}, got {tuple(ids)}")
    for name, value in (("store", store), *ids.items()):
        if not is_level(value):
            raise ValueError(
                f"{name} {value!r} is not 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit"
            )
    return f"{PREFIX}/{store}/{channel.topic.format(**ids)}"


def pattern(channel: Channel, store: str, **ids: str) -> str:
    """The subscription filter of a row: fields that are not given become `+`."""
    return f"{PREFIX}/{store}/" + _FIELD.sub(lambda m: ids.get(m[1], "+"), channel.topic)


def _compile(channel: Channel) -> re.Pattern[str]:
    parts = [f"(?P<{m[1]}>{_LEVEL.pattern})" if (m := _FIELD.fullmatch(part)) else re.escape(part)
             for part in channel.topic.split("/")]  # fmt: skip
    return re.compile(f"{PREFIX}/(?P<store>{_LEVEL.pattern})/" + "/".join(parts))


_PATTERNS = tuple((_compile(channel), channel) for channel in CHANNELS)


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Channel, dict[str, str]]:
    """The row and the IDs (with `store`) of a topic. Raises UnknownTopic. Do not change the returned dictionary."""
    for compiled, channel in _PATTERNS:
        if found := compiled.fullmatch(text):
            return channel, found.groupdict()
    raise UnknownTopic(text[:200], "unknown_topic", "no message of the contract lives on this topic")
