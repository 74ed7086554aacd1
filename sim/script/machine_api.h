/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the API files of the models share: the script's machine, and the CPU an actor is a task of.
 */
#ifndef RINGSIDE_SCRIPT_MACHINE_API_H
#define RINGSIDE_SCRIPT_MACHINE_API_H

#include "guest/cpu.h"
#include "script/api.h"
#include "vmm/machine.h"

struct named_iothread {
	const char *name;
	struct iothread *iothread;
	struct named_iothread *next;
};

struct named_bridge {
	const char *name;
	struct pci_function *function;
	struct named_bridge *next;
};

/* In the arena; one a world, as machines are. */
struct script_machine {
	struct machine *m;
	struct guest_cpu **cpu; /* one for each vCPU */
	struct named_iothread *iothreads;
	struct named_bridge *bridges;
};

/* The host's view of one queue of one device. */
struct script_queue {
	struct machine_device *d;
	unsigned index;
};

/* The CPU of the running actor; an error if it is no task of one. */
struct guest_cpu *
api_cpu(lua_State *L, const char *what);

/* For what returns 0 or a negative errno: true, or nil and the name of the error. */
int
api_result(lua_State *L, int ret);

/* table.key := value, for the table on top of the stack. */
void
api_set_integer(lua_State *L, const char *key, int64_t value);
void
api_set_boolean(lua_State *L, const char *key, bool value);
void
api_set_string(lua_State *L, const char *key, const char *value);

/* Take the VMM's big lock for what must hold it. Not during set-up, where nothing else runs. */
void
api_lock(lua_State *L, struct machine *m);
void
api_unlock(lua_State *L, struct machine *m);

/* dev:suspend() and dev:resume() of a device that its VMM suspends: suspend = 'vdpa-suspend'. */
int
api_suspend_device(lua_State *L, bool suspend);

struct vmstate;
/* Option "devices": what is known of each device's state on both sides; null: none. */
const struct vmstate *
api_vmstate(lua_State *L, int index);
/* unplugged_first =, unplugged_pages = of the table at 1: virtio-mem has them unplugged. */
void
api_unplugged(lua_State *L, uint64_t pages, uint64_t *first, uint64_t *count);

/* What of a migration's downtime went where, as metrics "downtime_…". */
void
api_downtime_metrics(lua_State *L, const int64_t *phase_ns, int64_t network_ns);

#endif
