#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tracked files are as the project keeps them: licence lines, formatting, sizes, no left-overs.
exec "$FERRY_SOURCE_DIR/tools/check-tree.sh"
