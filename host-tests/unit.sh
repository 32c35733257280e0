#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The unit tests of the accounting's logic, as TAP.
#
# usage: host-tests/unit.sh
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
make -s -C "$top/host-tests/unit" >&2
echo "TAP version 13"
"$top/build/unit/unit"
