#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds ferry, runs every test. Ends with counts, and the name of each skipped test.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'TEXT'
usage: ./test.sh [--no-install] [--build DIR] [CTEST-OPTION...]
  --no-install   take the machine as it is: no apt-get, no pip
  --build DIR    build there (default: build/test)
The rest goes to ctest, for example -R passes or -L python.
TEXT
}
install=yes
build=build/test
while [ $# -gt 0 ]; do
    case $1 in
    --no-install) install=no ;;
    --build) build=${2:?--build needs a folder} && shift ;;
    -h | --help) usage; exit 0 ;;
    *) break ;;
    esac
    shift
done
source tools/ci/lib.sh

if [ $install = yes ]; then
    step "packages" tools/setup.sh --tests --demo
    step "python packages" tools/ci/venv.sh
    step "models" tools/ci/models.sh
fi
step "configure" configure "$build"
step "build" build "$build"
# Tests labelled slow belong to the slow tier (tools/ci/accuracy.sh).
run_tests "$build" -LE '^slow$' "$@"
