# SPDX-License-Identifier: Apache-2.0
"""Measures inference engines side by side on one machine; bench/cpu.py is the command."""
