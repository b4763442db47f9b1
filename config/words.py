"""Texts for people in both languages, with named places to fill, checked when they are read."""

from __future__ import annotations

from string import Formatter
from typing import Annotated

from pydantic import StringConstraints

from config.load import Section

Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Words(Section):
    """One text in Japanese and English; `{name}` is a place to fill."""

    ja: Text
    en: Text

    def fill(self, **values: object) -> Words:
        """The texts with their places filled. All places were checked at load (`check_places`)."""
        return Words.model_construct(ja=self.ja.format_map(values)[:500], en=self.en.format_map(values)[:500])


def check_places(text: str, allowed: tuple[str, ...]) -> None:
    """Raises ValueError when a text has a place that nothing can fill, or a brace that stands alone."""
    try:
        found = [name for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; write {{{{ for a brace") from None
    for name in found:
        if name not in allowed:
            raise ValueError(f"{text!r}: nothing can fill {{{name}}}; possible are {', '.join(allowed)}")
    # A width or a conversion (`{name:>9}`, `{name!r}`) is more than a place, and could make any length.
    if any(spec or conversion for _, name, spec, conversion in Formatter().parse(text) if name is not None):
        raise ValueError(f"{text!r}: only plain places such as {{name}} are possible")
