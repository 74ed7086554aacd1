/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin: your own ring code, driver side, device side or both, in a shared object of its own.
 *
 *	#include "datapath/plugin.h"
 *
 *	const struct datapath ringside_datapath = {
 *		.name = "my_ring",
 *		.driver = &my_driver_ops,      may be null: then that side is native
 *		.device = &my_device_ops,
 *	};
 *
 * What the operations do and what they get is in datapath.h; barriers and marked accesses are in
 * barrier.h.  These three headers need nothing else of Ringside.  Compiled by gcc or clang with
 *
 *	cc -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -Isim my_ring.c -o my_ring.so
 *
 * (-I/usr/local/include/ringside after `make install`) and run with
 *
 *	ringside explore --datapath ./my_ring.so SCENARIO.lua
 *
 * -fsanitize=thread makes the compiler report each access, and -nodefaultlibs keeps the sanitizer's
 * own run time out: Ringside answers those calls.  libc is there all the same.
 *
 * What Ringside cannot see:
 *	- Inline-assembly barriers.  Loading a plugin with mfence, lock … or xchg in it warns, with
 *	  file and line.  A bare asm volatile("" ::: "memory"), which x86 ports often have for a
 *	  write or read barrier, leaves nothing to warn of: use dp_wmb() and dp_rmb() instead.
 *	- State outside of the world: static variables, of which loading warns, too, and malloc()
 *	  are not put back between two schedules.  Keep everything in memory from dp_host.alloc().
 *	- Accesses in functions marked DP_UNSEEN, as state() should be.
 *
 * An actor's stack is small: frames of a few KiB.  No operation waits, calls the system or starts
 * threads.  One that crashes or does not come back ends the run with exit status 2.
 */
#ifndef DATAPATH_PLUGIN_H
#define DATAPATH_PLUGIN_H

#include "datapath/barrier.h"
#include "datapath/datapath.h"

#define RINGSIDE_PLUGIN_SYMBOL "ringside_datapath"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct datapath ringside_datapath;

#endif
