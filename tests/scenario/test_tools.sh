#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The proxy and the oracle of these tests notice every kind of harm they exist to notice.
# timeout: 120

exec python3 "$(dirname "$0")/../tool/selftest.py"
