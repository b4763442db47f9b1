"""The customers whom the hub knows, by their number: rank, clerks, beacon, consents, terminal, what they bought before."""

from __future__ import annotations

import hashlib
from sqlite3 import Connection

from firmware_sim.beacons_rotating import Rotating
from hub.database import consents, eids, members, push_subscriptions
from hub.database.consents import Purpose
from hub.database.push_subscriptions import Subscription
from hub.eid.keys import name_of
from hub.eid.table import EidKey
from hub.members.secrets import hash_of

CUSTOMERS, CLERKS = 200, 5
GROUP = "floor_managers"
WORDING = "simulated"
PUSH_HOST = "push.simulated"
EARLIER = "H-"
"""Sales of before the run are called so."""
PRODUCTS = {"4901234567894": 250, "4902222222221": 780, "4903333333332": 1980}
"""Price by code."""


def customer(n: int) -> str:
    return f"K{n:04}"


def is_rotating(n: int) -> bool:
    return n % 4 == 1


def beacon(n: int) -> str:
    """Of a customer with a fixed one."""
    return f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}"


def rotating(n: int, ppm: float = 0.0) -> Rotating:
    """Her beacon as it goes: its counter was at an hour of its own when the run began. Its clock may be wrong by up to 150 ppm."""
    return Rotating(_key(n), 6 + n % 3, 3600.0 + 17 * n, 0.0, 1.0 + ppm * 1e-6)


def session(n: int) -> str | None:
    """What her terminal holds to be signed in; None: she has no terminal."""
    return None if n % 5 == 1 else f"the terminal of {customer(n)}"


def agreed(n: int) -> frozenset[Purpose]:
    """To what she has agreed. Nothing at all: the store has her by its own records, and never asked."""
    if n % 10 == 9:
        return frozenset()
    if n % 23 == 7:
        return frozenset({Purpose.COUPONS})
    return frozenset({Purpose.SERVICE, Purpose.COUPONS} | ({Purpose.SENSING} if n % 7 != 3 else set()))


def mailed(n: int) -> frozenset[Purpose]:
    """By what the store may write to her."""
    if not agreed(n):
        return frozenset()
    return frozenset(
        purpose for purpose, not_so in ((Purpose.EMAIL, n % 8 == 0), (Purpose.PUSH, n % 8 > 4)) if not not_so
    )


def email(n: int) -> str:
    """Her address, if the store has one."""
    return "" if n % 9 == 4 else f"k{n}@mail.simulated"


def mail_is_refused(n: int) -> bool:
    """Her address is nobody's."""
    return n % 11 == 3


def push_is_gone(n: int) -> bool:
    """She has switched notifications off in her browser, and the store does not know."""
    return n % 7 == 5


def may_be_known(n: int) -> bool:
    """Whether she may be recognised on arrival."""
    return not agreed(n) or Purpose.SERVICE in agreed(n)


def as_csv() -> str:
    """What is imported."""
    lines = ["customer,name,language,visits,average_purchase,points,rank,main_clerk,deputies,beacons"]
    for n in range(1, CUSTOMERS + 1):
        rank = ("regular", "silver", "gold")[n % 3]
        lines.append(
            f"{customer(n)},Name {n},{'ja' if n % 2 else 'en'},{n % 50},{1000 * (n % 20)},{n},{rank},c{n % CLERKS + 1},"
            f"c{(n + 1) % CLERKS + 1},{'' if is_rotating(n) else beacon(n)}"
        )
    return "\n".join(lines)


def enter(db: Connection, at: str, at_s: float) -> None:
    """What an import does not bring: consents, keys, terminals that are signed in, purchases of before, clerks' group, products.
    `at`, `at_s`: when all runs begin, as the database has it and as UNIX time."""
    db.execute("BEGIN")
    for n in range(1, CUSTOMERS + 1):
        for purpose in sorted(agreed(n) | mailed(n)):
            consents.give(db, customer(n), purpose, WORDING, at)
        if (held := session(n)) is not None:
            members.open_session(db, hash_of(held), customer(n), at, proved=True)
            if Purpose.PUSH in mailed(n):
                endpoint = f"https://{PUSH_HOST}/{customer(n)}"
                push_subscriptions.put(db, Subscription(endpoint, hash_of(held), customer(n), "", "", at, ""))
        db.execute("UPDATE customer SET email = ? WHERE customer = ?", (email(n), customer(n)))
        if is_rotating(n):
            tag = rotating(n)
            key = EidKey(name_of(tag.key), tag.key, tag.exponent, at_s - tag.counter, 0.0, at_s)
            eids.replace(db, customer(n), [key])
        if n % 6 == 2:
            _bought(db, n, at)
    db.execute("INSERT INTO clerk_group VALUES (?, ?), (?, ?)", (GROUP, "c1", GROUP, "c2"))
    for code, price in PRODUCTS.items():
        db.execute(
            "INSERT INTO product (code, name_ja, name_en, price_minor, category, on_sale) VALUES (?, ?, ?, ?, 'x', 1)",
            (code, f"商品{price}", f"Product {price}", price),
        )
    db.execute("UPDATE customer SET note = spent_minor")  # what she had spent before, for the books
    db.execute("COMMIT")


def _bought(db: Connection, n: int, at: str) -> None:
    """Tableware, a month ago: the table of coupons has something for her."""
    sale, day = f"{EARLIER}{n}", "2026-03-02"
    db.execute(
        "INSERT INTO sale (sale, customer, amount_minor, currency, paid_on, device, sold, day, posted_by, fingerprint) "
        "VALUES (?, ?, 3000, 'JPY', 'settlement', 'till-1', ?, ?, 'pos-1', '')",
        (sale, customer(n), f"{day}{at[10:]}", day),
    )
    db.execute("INSERT INTO sale_line VALUES (?, 1, 'cup', 'Cup', '食器', 3, 3000)", (sale,))


def _key(n: int) -> bytes:
    return hashlib.sha256(f"simulated beacon {n}".encode()).digest()[:16]
