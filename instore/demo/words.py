"""Happenings as sentences for a person who watches."""

from __future__ import annotations

from typing import Any

from instore.demo.record import Happening


def tell(happening: Happening) -> str | None:
    """One sentence, or None for what need not be said."""
    message = happening.message
    data: dict[str, Any] = message.get("data") or {}
    match happening.type.removeprefix("instore.").removesuffix(".v1"):
        case "demo.process":
            return _process(message)
        case "sighting":
            near = f", {data['distance_m']:.1f} m" if data.get("distance_m") is not None else ""
            return f"entrance   beacon {str(data.get('beacon'))[-4:]} {data.get('event')}{near}"
        case "visit.opened":
            return f"hub        visit of {data.get('customer')}: {data.get('decided')}"
        case "alert":
            return f"handheld   {data.get('message', {}).get('ja', '')} [{data.get('state')}]"
        case "alert.answer":
            return f"handheld   the clerk answers: {data.get('answer')}"
        case "treatment.decided":
            return (
                f"hub        her phone's readings: {data.get('treatment') or 'nothing unusual'} ({data.get('decided')})"
            )
        case "coupon.issued":
            return f"hub        coupon {data.get('coupon')} by what she bought: {data.get('state')}"
        case "demo.phones":
            return _phone(message)
        case "lane.scan":
            return f"exit lane  exit code read, sale {data.get('sale')}"
        case "lane.refused":
            return f"exit lane  code refused: {data.get('reason')}"
        case "lane.decision":
            coupon = (data.get("incentive") or {}).get("title", {}).get("ja", "no coupon")
            return f"hub        {data.get('outcome')}: {coupon}"
        case "lane.printed":
            picture = f" {happening.extra['png']}" if "png" in happening.extra else ""
            return f"exit lane  coupon {data.get('outcome')}{picture}"
        case "lane.opened":
            return "exit lane  gate opened"
        case "lane.passage":
            return f"exit lane  {data.get('outcome')}"
        case "incentive.settled":
            return f"hub        coupon {data.get('outcome')}"
        case "device.status":
            return _device(happening, data)
        case "demo.shopper":
            return f"customer   {message.get('name')} {message.get('does')}"
        case "demo.summary":
            return _summary(message)
        case _:
            return None


_told: dict[str, str] = {}
"""Last sentence by device: a state is said when it changes, not whenever its counters do."""


def _device(happening: Happening, data: dict[str, Any]) -> str | None:
    device = str(happening.extra.get("device"))
    flags = f" ({', '.join(data['flags'])})" if data.get("flags") else ""
    sentence = f"device     {device}: {data.get('power')}{flags}"
    if _told.get(device) == sentence:
        return None
    _told[device] = sentence
    return sentence


def _phone(message: dict[str, Any]) -> str | None:
    match message.get("event"):
        case "answered":
            return f"her phone  answers with {', '.join(message.get('readings') or [])}"
        case "coupon":
            return f"her phone  coupon {message.get('code')}: {message.get('state')}"
        case _:
            return None


def _process(message: dict[str, Any]) -> str:
    pid = f" (process {message['pid']})" if message.get("state") == "started" else ""
    return f"program    {message.get('name')} {message.get('state')}{pid}"


def _summary(message: dict[str, Any]) -> str:
    if not message.get("ok"):
        return f"The visit did not come to its end as it should: {message.get('failure') or message.get('counts')}"
    return (f"Done: advertisement to handheld {message.get('advert_to_handheld_ms')} ms, "
            f"exit code to gate {message.get('scan_to_gate_ms')} ms. Everything lies in {message.get('folder')}")  # fmt: skip
