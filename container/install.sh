#!/bin/sh
# Install moodal into a new environment: install.sh SOURCE TARGET EXTRAS
# The steps of the Dockerfile, which also run where there is no container engine.
set -eu
source=$1
target=$2
extras=$3
"${PYTHON:-python3}" -m venv "$target"
"$target/bin/pip" install --no-cache-dir --quiet \
    --constraint "$source/constraints.txt" "$source[$extras]"
"$target/bin/pip" uninstall --yes --quiet pip setuptools 2>/dev/null || true
find "$target" -type d \( -name __pycache__ -o -name tests \) -prune -exec rm -rf {} +
