# SPDX-License-Identifier: Apache-2.0
"""Makes networks to measure; bench/cpu_models.py is the command."""
