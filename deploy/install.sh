#!/bin/sh
# install.sh run|test|bench: bring .venv up to the locked, hash-checked set of packages. Does nothing when it is there already.
set -eu
cd "$(dirname "$0")/.."
kind=$1
locks=deploy/requirements

say() { printf '%s\n' "$*" >&2; }

# Somebody's own environment, linked here: theirs to keep up.
[ -L .venv ] && exit 0

# A larger set that is installed already contains the smaller one; going back would only take tools away.
for larger in bench test; do
    [ "$kind" = "$larger" ] && break
    [ -f ".venv/installed-$larger" ] && kind=$larger && break
done
wanted=$(cat "$locks/$kind.txt" "$locks/bootstrap.txt" | cksum)
[ -x .venv/bin/python ] && [ "$(cat ".venv/installed-$kind" 2>/dev/null)" = "$wanted" ] && exit 0

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
    for python in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        [ -n "$python" ] && "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
        python=
    done
    if [ -z "$python" ]; then
        say "Python 3.11 or newer with its venv module is needed and was not found. Install it, or name it: make PYTHON=/path/to/python3.11"
        exit 1
    fi
    say "Making .venv with $("$python" --version) ..."
    rm -rf .venv
    "$python" -m venv .venv || { say "$python could not make a virtual environment in .venv: see above."; exit 1; }
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# uv shall trust and ask whom this machine's pip trusts and asks: the system's certificates, and a mirror if one is set.
export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
mirror=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
[ -z "$mirror" ] || export UV_DEFAULT_INDEX="$mirror"
started=$(date +%s)
say "Installing the locked packages ($kind) ..."
rm -f .venv/installed-*
if .venv/bin/python -m pip install -qq --require-hashes -r "$locks/bootstrap.txt" && .venv/bin/uv --version >/dev/null 2>&1 &&
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip sync -q --allow-empty-requirements --require-hashes "$locks/$kind.txt" "$locks/bootstrap.txt"; then
    :
else
    say "uv did not manage; pip installs the same locked packages, more slowly."
    .venv/bin/python -m ensurepip -q 2>/dev/null || true
    .venv/bin/python -m pip install -qq --require-hashes -r "$locks/$kind.txt" || {
        say "The packages could not be installed: see above. Is the package index reachable from here?"
        exit 1
    }
fi
printf '%s\n' "$wanted" >".venv/installed-$kind"
say "Installed in $(($(date +%s) - started)) s."
