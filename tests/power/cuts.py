"""The power goes at an operation: a child process (fork) is the world in which it went, the parent goes on as if it had not.

So each cut meets the other machine exactly as it was, with everything that it had in memory.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random

from delivery.journal import Journal, JournalError
from tests.power import verdict, vfs
from tests.power.disk import KINDS, Disk
from tests.power.machines import FILE, Machine
from tests.power.workload import World

CHILD_MAX_S = 120
PROGRESS_EVERY_S = 10.0
TWICE = "twice"
"""What survived a first cut is opened, and the power goes again while it is opened or closed."""


@dataclass
class Tally:
    """Of one or many workloads."""

    operations: int = 0
    cuts: int = 0
    images: int = 0
    """Disks opened and looked at."""
    stores: int = 0
    """Stores that went on from a disk until all was settled: once from what is the same in the same turn."""
    same: int = 0
    """Images that were equal to one already judged in the same turn of the world."""
    lost: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_operation: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    first_problem: int | None = None
    """How many cuts it took."""
    again: str = ""
    """Arguments that repeat that cut alone."""

    def add(self, other: Tally) -> None:
        if self.first_problem is None and other.first_problem is not None:
            self.first_problem, self.again = self.cuts + other.first_problem, other.again
        for name in ("operations", "cuts", "images", "stores", "same", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.by_kind += other.by_kind
        self.by_operation += other.by_operation
        self.problems = (self.problems + other.problems)[:20]


class Cutter:
    """Cuts the power of each machine of a world at every `every`-th of its operations, from the `first` on."""

    def __init__(
        self, world: World, *, every: int = 1, first: int = 0, until: Callable[[], bool] = lambda: False
    ) -> None:
        self.world, self.tally = world, Tally()
        self._every, self._first, self._until = every, first, until
        self._seen: set[bytes] = set()
        self._judged: dict[bytes, tuple[list[str], bytes]] = {}
        """By what SQLite recovers from the files, page for page: what the Journal said of it, and what is in its tables."""
        self._told = time.monotonic()
        self._seen_turn: object = None
        for name, machine in world.machines.items():
            machine.disk.on_op = lambda kind, file, name=name: self._at(name, kind, file)  # type: ignore[misc]

    def _at(self, name: str, kind: str, file: str) -> None:
        n = self.tally.operations
        self.tally.operations += 1
        if n % self._every != self._first or self._until():
            return
        self.tally.cuts += 1
        self.tally.by_operation[f"{kind} {file.removeprefix(FILE) or 'db'}"] += 1
        if time.monotonic() - self._told > PROGRESS_EVERY_S:
            self._told = time.monotonic()
            print(f"seed {self.world.seed}: {self.tally.cuts} cuts, {self.tally.images} disks opened, "
                  f"{self.tally.lost} with problems", file=sys.stderr, flush=True)  # fmt: skip
        disk = self.world.machines[name].disk
        turn = self._turn()
        if turn != self._seen_turn:
            self._seen_turn = turn
            self._seen.clear()
            self._judged.clear()
        for survived in (*(KINDS[:1] if disk.settled else KINDS), TWICE):
            rng = Random(f"{self.world.seed}/{n}/{survived}")
            image = _again(disk, self.world, rng, name) if survived == TWICE else disk.after(survived, rng)
            digest = _digest(image, name)
            if digest in self._seen:
                self.tally.same += 1
                continue
            self._seen.add(digest)
            self.tally.images += 1
            self.tally.by_kind[survived] += 1
            problems, content = self._open(name, image)
            if not problems and content not in self._seen:
                self._seen.add(content)
                self.tally.stores += 1
                problems = self._in_a_child(name, image)
            if problems:
                self.tally.lost += 1
                if self.tally.first_problem is None:
                    self.tally.first_problem = self.tally.cuts
                    self.tally.again = f"--seeds {self.world.seed} --operation {n}"
                where = f"seed {self.world.seed}, operation {n} ({kind} {name}/{file}), {survived}: "
                self.tally.problems = (self.tally.problems + [where + p for p in problems[:3]])[:20]

    def _open(self, name: str, image: dict[str, bytes]) -> tuple[list[str], bytes]:
        """What the real Journal says of these files, and a digest of what it finds in them: the world need not go on twice
        from the same. Files from which SQLite recovers the very same pages are told apart by nobody, so that the Journal is asked
        once: making all tables that a version has takes longer than everything else here."""
        machine, folder = self.world.machines[name], self.world.folder / f"{name}-looked-at"
        _lay_out(folder, image)
        pages = _recovered(folder / FILE, name)
        if pages not in self._judged:
            _lay_out(folder, image)
            self._judged[pages] = self._judge(machine, folder)
        return self._judged[pages]

    def _judge(self, machine: Machine, folder: Path) -> tuple[list[str], bytes]:
        try:
            journal = Journal(folder / FILE, machine.migrations)
            try:
                return verdict.files(self.world, machine, journal), _content(journal.db, machine.me.id)
            finally:
                journal.close()
        except Exception as error:
            return [f"{error!r}"], b""

    def _turn(self) -> object:
        machines = self.world.machines.values()
        return self.world.turn, tuple((len(m.posted), sum(m.acknowledged.values())) for m in machines)

    def _in_a_child(self, name: str, image: dict[str, bytes]) -> list[str]:
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(CHILD_MAX_S)
            try:
                told = _go_on(self.world, name, image)
            except BaseException as error:
                at = traceback.extract_tb(error.__traceback__)[-1]
                told = [f"{error!r} at {at.filename}:{at.lineno}"]
            os.write(into, json.dumps([t[:1000] for t in told]).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        return (
            list(json.loads(text)) if text else [f"the child ended with status {status}: a hang, or a crash of SQLite"]
        )


def _digest(image: dict[str, bytes], name: str) -> bytes:
    digest = blake2b(name.encode(), digest_size=16)
    for file in sorted(image):
        digest.update(f"/{file}/{len(image[file])}/".encode())
        digest.update(image[file])
    return digest.digest()


def _recovered(path: Path, name: str) -> bytes:
    """A digest of the pages of a database after its recovery. Changes the files."""
    digest = blake2b(name.encode(), digest_size=16)
    with closing(sqlite3.connect(path)) as db:
        try:
            digest.update(db.serialize())
        except sqlite3.Error as error:  # the Journal will say what is wrong; nothing is taken for the same
            digest.update(f"{error} {time.monotonic_ns()}".encode())
    return digest.digest()


def _content(db: sqlite3.Connection, name: str) -> bytes:
    """A digest of all tables and rows, in the order that SQLite reads them; not of when tables were made, nor of where they lie."""
    digest = blake2b(name.encode(), digest_size=16)
    for table, sql in db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall():
        digest.update(f"{table}/{sql}/".encode())
        if sql and sql.startswith("CREATE TABLE"):
            columns = "name" if table == "migration" else "*"
            for row in db.execute(f'SELECT {columns} FROM "{table}"'):
                digest.update(repr(row).encode())
    return digest.digest()


class _PowerGone(Exception):
    """What the recording disk says from the second cut on."""


def _again(disk: Disk, world: World, rng: Random, name: str) -> dict[str, bytes]:
    """The power comes back, the file is opened and closed, and somewhere in that the power goes again."""
    machine = world.machines[name]
    second = Disk.holding(f"{name}-again", disk.after(rng.choice(KINDS), rng))
    wanted, images = rng.randrange(24), []
    seen = Counter[str]()

    def on_op(kind: str, file: str) -> None:
        seen["n"] += 1
        if seen["n"] == wanted:
            images.append(second.after(rng.choice(KINDS), rng))
        if images:
            raise _PowerGone

    second.on_op = on_op
    opened: list[sqlite3.Connection] = []

    def connect(path: Path | str) -> sqlite3.Connection:
        opened.append(vfs.connect(second, path, 8))
        return opened[-1]

    try:
        with suppress(JournalError, _PowerGone):  # a disk that can't be opened is judged as it is
            Journal(world.folder / name / FILE, machine.migrations, connect=connect).close()
            opened.clear()
    finally:
        for left in opened:
            with suppress(_PowerGone):
                left.close()
    return images[0] if images else second.after("kept", rng)


def _lay_out(folder: Path, image: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for file, data in image.items():
        (folder / file).write_bytes(data)


def _go_on(world: World, name: str, image: dict[str, bytes]) -> list[str]:
    for machine in world.machines.values():
        machine.disk.on_op = lambda kind, file: None
    folder = world.folder / f"{name}-after"
    _lay_out(folder, image)
    world.come_back(name, folder)
    world.buy()  # the store goes on
    if not world.settle():
        passed = [shopper.passed for shopper in world.shoppers]
        waiting = {n: m.engine.unacknowledged() for n, m in world.machines.items()}
        return [f"never settled: passed {passed}, unacknowledged {waiting}, lane {world.agent.lane.phase}"]
    return verdict.store(world)[:20]


def run(seed: int, folder: Path, *, steps: int, every: int = 1, first: int = 0, max_s: float = 1e9, until_noticed: bool = False,
        prepare: Callable[[World], None] = lambda world: None) -> Tally:  # fmt: skip
    """One workload with its cuts. `prepare` is where a test takes a safeguard out. `until_noticed`: no cuts while the tables are
    made, which grow with each version, and none after the first that shows a problem."""
    ends = time.monotonic() + max_s
    world = World(seed, folder)
    prepare(world)
    started = False

    def spared() -> bool:
        return time.monotonic() > ends or (until_noticed and (not started or cutter.tally.lost > 0))

    cutter = Cutter(world, every=every, first=first, until=spared)
    gc.collect()
    gc.freeze()  # children share these pages
    try:
        world.start()
        started = True
        for _ in range(steps):
            world.step()
        world.perfect = True
        if not world.settle():
            cutter.tally.problems.append(f"seed {seed} does not settle even without a cut")
        cutter.tally.problems += [f"seed {seed}, no cut: {p}" for p in verdict.store(world)]
    except Exception as error:  # the workload itself: a safeguard is missing that even without a cut is needed
        cutter.tally.problems.append(f"seed {seed}, no cut: {error!r}")
    finally:
        gc.unfreeze()
        for machine in world.machines.values():
            machine.disk.on_op = lambda kind, file: None
            if machine.is_open:
                machine.journal.close()
    return cutter.tally
