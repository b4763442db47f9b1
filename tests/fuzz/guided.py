"""Every decoder with inputs that coverage guides (atheris, libFuzzer): `python -m tests.fuzz.guided [--seconds 20] [decoder …]`.

atheris is not among what `make setup` installs: `.venv/bin/pip install atheris`. A decoder fails when it raises what it has not
declared, takes more than five seconds for one input, or more than a gigabyte. The input is kept, and the command that repeats
it is told. The last line is JSON; exit code 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SLOW_S, MEMORY_MB, LONGEST = 5, 1024, 4096
INSTRUMENTED = ["contract", "devices", "config", "broker", "edge", "hub"]


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """In this process, which libFuzzer ends."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        decoder = importlib.import_module("tests.fuzz.decoders").DECODERS[name]
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(decoder.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(corpus)], decoder.run)
    atheris.Fuzz()


def one(name: str, seconds: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    command = [sys.executable, "-m", "tests.fuzz.guided", "--here", str(folder), "--seconds", str(seconds), name]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    runs = re.search(r"Done (\d+) runs", done.stderr)
    failed = done.returncode != 0 or runs is None
    if failed:
        print(done.stderr[-3000:], file=sys.stderr)
        for kept in folder.glob("*-*"):
            print(f"repeat: python -m tests.fuzz.guided --input {kept} {name}", flush=True)
    return {"inputs": int(runs[1]) if runs else 0, "failed": failed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("decoders", nargs="*", metavar="decoder", help="all, unless given")
    parser.add_argument("--seconds", type=int, default=20, help="of each")
    parser.add_argument("--input", type=Path, help="this file once, without atheris")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        fuzz(given.decoders[0], given.seconds, given.here)
        return 0
    decoders = importlib.import_module("tests.fuzz.decoders").DECODERS
    if unknown := set(given.decoders) - set(decoders):
        parser.error(f"no decoder {', '.join(sorted(unknown))}; there are {', '.join(decoders)}")
    if given.input:
        for name in given.decoders:
            decoders[name].run(given.input.read_bytes())
        return 0
    if find_spec("atheris") is None:
        parser.error("atheris is missing: .venv/bin/pip install atheris")
    began, found = time.monotonic(), {}
    names = given.decoders or list(decoders)
    for number, name in enumerate(names, 1):
        print(f"{number}/{len(names)} {name}: {given.seconds} s …", file=sys.stderr, flush=True)
        found[name] = one(name, given.seconds)
        print(
            f"{name}: {found[name]['inputs']:,} inputs, {'FAILED' if found[name]['failed'] else 'nothing found'}",
            flush=True,
        )
    failed = [name for name, each in found.items() if each["failed"]]
    print(json.dumps({"decoders": found, "inputs": sum(each["inputs"] for each in found.values()), "failed": failed,
                      "wall_s": round(time.monotonic() - began, 1), "holds": not failed}))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
