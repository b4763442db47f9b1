"""The `[shopping]` section of the hub's settings: prices, tax, and who takes the money on the terminal (rows B1, B4)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from config.load import Section, SettingsError, resolve

SECRET_MIN, SECRET_MAX = 32, 200


class PaymentSettings(Section):
    """Who takes the money. `simulated`: nobody, for demos and tests; `pos`: the store's own POS server, over HTTP."""

    provider: Literal["simulated", "pos"]
    method: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "terminal"
    """What the sale's tender is called, unless the provider says more exactly how it was paid."""
    url: str | None = None
    """Where a payment of the POS server begins."""
    secret_file: Path | None = None
    """What the hub and the POS server sign with: one line of at least 32 characters."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """So long the POS server may take to begin a payment."""
    skew_s: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """So far the clock of a signed call may be from ours."""

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s?#]+(?:/[^\s?#]*)?", url):
            raise ValueError("is no address of a POS server, such as http://pos.example:9000/payments")
        return url

    @model_validator(mode="after")
    def _complete(self) -> PaymentSettings:
        if self.provider == "pos" and (self.url is None or self.secret_file is None):
            raise ValueError('provider = "pos" needs url and secret_file')
        return self

    def secret(self, settings_file: Path) -> str:
        """What calls are signed with; "" without. Raises SettingsError when its file can't be used."""
        if self.secret_file is None:
            return ""
        path = resolve(settings_file, self.secret_file)
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is no text"
            raise SettingsError(settings_file, [f"shopping.payment.secret_file: {path}: {why}"]) from None
        if not SECRET_MIN <= len(found) <= SECRET_MAX:
            said = f"has {len(found)} characters; {SECRET_MIN} to {SECRET_MAX} make a secret (openssl rand -hex 32)"
            raise SettingsError(settings_file, [f"shopping.payment.secret_file: {path}: {said}"])
        return found


class ShoppingSettings(Section):
    """Shopping on the customer's own terminal."""

    prices_include_tax: bool = True
    """Whether the prices of products do; to consumers in Japan they must be shown so."""
    tax_percent: Annotated[float, Field(ge=0, le=100, multiple_of=0.1)] = 10
    """Of products that name no rate of their own. In Japan 10, and 8 for food and newspapers."""
    tax_rounding: Literal["down", "half_up", "up"] = "down"
    """Of the tax of one rate on a receipt."""
    payment: PaymentSettings | None = None
    """None: nothing is paid on the terminal; the till reads the list."""
    payment_s: Annotated[float, Field(ge=30, le=3600)] = 300.0
    """A payment that is not confirmed after this time is over; the list is open again."""
    exit_code_s: Annotated[int, Field(ge=20, le=3600)] = 120
    """So long an exit code holds that a terminal shows: it renews it meanwhile, and a picture of it is soon worth nothing."""
    idle_hours: Annotated[float, Field(ge=1, le=720)] = 24.0
    """A list that nobody has touched for so long is put away."""

    @property
    def tax_per_mille(self) -> int:
        return round(self.tax_percent * 10)
