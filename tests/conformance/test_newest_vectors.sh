#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's vectors end at opset 17; PyPI's onnx can make those of its own version. Both together must pass.
set -uo pipefail
version=$("$FERRY_PYTHON" -c 'import onnx; print(onnx.__version__)' 2>/dev/null)
if [ -z "$version" ]; then
    echo "SKIPPED: $FERRY_PYTHON has no package onnx to make the newest vectors with"
    exit 77
fi
folder=$FERRY_BUILD_DIR/onnx-vectors-$version
if [ ! -f "$folder/complete" ]; then
    rm -rf "$folder"
    "$FERRY_PYTHON" -B -W ignore "$FERRY_SOURCE_DIR/tests/conformance/make_vectors.py" "$folder" || exit 1
    touch "$folder/complete"
fi
emulator=()
case $FERRY_COMMAND in *' '*) read -ra emulator <<<"${FERRY_COMMAND% *}" ;; esac
FERRY_ONNX_TESTDATA=$folder "${emulator[@]}" "$FERRY_BUILD_DIR/tests/conformance_run_vectors"
