#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts what PyPI's packages carry where the tests look for it: trained models into out/models, the test vectors of the
# newest ONNX (the distribution's are older) into out/onnx-vectors.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p out/models
want=$(cat tools/requirements-*.txt tools/demo/export_efficientnet_lite0.py tests/conformance/make_vectors.py \
    tools/ci/models.sh .venv/ferry-stamp | sha256sum)
if [ -f out/models/stamp ] && [ "$(cat out/models/stamp)" = "$want" ]; then
    echo "out/models is up to date"
    exit 0
fi
packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
# Three stages of reading text: finding lines, telling their direction, reading them.
for model in ch_PP-OCRv4_det_infer ch_ppocr_mobile_v2.0_cls_infer ch_PP-OCRv4_rec_infer; do
    cp "$packages/rapidocr_onnxruntime/models/$model.onnx" out/models/
done
tools/demo/venv.sh out/demo/venv
mapfile -t pictures < <(ls examples/pictures/run/*.jpg)
out/demo/venv/bin/python tools/demo/export_efficientnet_lite0.py -o out/models/efficientnet_lite0.onnx \
    --reference out/models/efficientnet_lite0 "${pictures[@]}"
ls out/models
rm -rf out/onnx-vectors
.venv/bin/python -W ignore tests/conformance/make_vectors.py out/onnx-vectors
echo "$want" >out/models/stamp
