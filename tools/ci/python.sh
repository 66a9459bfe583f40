#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Python beyond what every test run can afford: the wheel, installed into clean environments of the oldest and the newest
# Python here; work spread over a cluster. (The models of well-known packages have a script of their own, zoo.sh.)
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
ray() {
    [ -x out/ray/venv/bin/python ] || python3 -m venv out/ray/venv
    out/ray/venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet 'ray[data]' numpy pillow onnx
}
step "configure" configure build/test
step "build" build build/test
step "ray" ray
title="python" run_tests build/test -R '^python(_ray/|/.*_slow$)'
