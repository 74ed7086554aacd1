-- SPDX-License-Identifier: GPL-2.0-or-later
-- Globals of scenarios: what `ringside api --globals` prints (tests/cli/test-api.sh compares them).
std = "lua54"
max_line_length = 120
local scenario = {
	"actor", "background_snapshot", "blocked", "choice", "colo", "eventfd", "expect", "fault", "flag",
	"include", "kvm", "machine",
	"metric", "migrate", "note", "now", "oracle", "oracle_count", "point", "progress", "ram", "ram_alloc", "ram_load",
	"ram_read", "ram_store", "ram_write", "raw", "semaphore", "skip_barrier", "sleep", "source_vm", "stop",
	"timer", "violate", "waitq",
	"wakeup_ring", "work", "yield",
}
files["scenarios"] = { read_globals = scenario }
files["tests/cli"] = { read_globals = scenario }
