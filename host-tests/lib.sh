# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of the host, which need to know where things are, and have cases.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib/common.sh"
. "$top/scripts/lib/ktap.sh"
