#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The models of torchvision, timm and Ultralytics through the PyTorch export, under the newest of each that PyPI has. No
# stage of .ci/run: what it takes (a quarter of an hour, 0.8 GB) and whether it passes depend on the day's releases.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
step "configure" configure build/test
step "build" build build/test
title="models of PyTorch's packages" run_tests build/test -R '^python_torch/.*_slow$'
