#!/usr/bin/env bash
# Makes .venv from the lock and looks for the system packages. Needs nothing but a Debian (12 or later) or a Raspberry Pi OS.
# A missing system package is installed when we may (root, or sudo without a question); else the exact line is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

#   package              what shows that it is there
wanted="
python3-venv            python3 -c 'import venv, ensurepip'
dbus-daemon             command -v dbus-daemon
mosquitto               test -x /usr/sbin/mosquitto
mosquitto-clients       command -v mosquitto_pub
chromium                command -v chromium
fonts-ipafont-gothic    test -f /usr/share/fonts/opentype/ipafont-gothic/ipag.ttf
faketime                ls /usr/lib/*/faketime/libfaketimeMT.so.1
"
missing=()
while read -r package check; do
  [ -n "$package" ] || continue
  bash -c "$check" >/dev/null 2>&1 || missing+=("$package")
done <<<"$wanted"

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then as=(); elif sudo -n true 2>/dev/null; then as=(sudo); else
    echo "Missing system packages. Please run this line, then make again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing system packages: ${missing[*]}"
  "${as[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or later is needed, $("$python" --version) found; set PYTHON=/path/to/python3.11" >&2
  exit 1
}

stamp=.venv/.installed
if [ ! -f "$stamp" ] || [ requirements.lock -nt "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  echo "Making .venv from requirements.lock (once; a minute or two)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
  # setuptools warns at length that folders may hide packages of the same name; here that is the purpose.
  PYTHONWARNINGS=ignore .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --editable .
  touch "$stamp"
fi
