# SPDX-License-Identifier: Apache-2.0
"""`import ferry.compat.install` as the first line of a script (or of a sitecustomize) switches compat mode on."""
from ferry.compat._install import install

install()
