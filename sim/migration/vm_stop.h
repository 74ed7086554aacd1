/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping and starting the source's machine.
 *
 * Stopping: vCPUs first (pause_all_vcpus), each when it leaves the guest; then devices, each when
 * what it is writing is written, and vhost hands its log over (vm_state_notify, vhost_dev_stop).
 * Devices made with vm_add_device() have their own order (vm_device.h); writers that are just that
 * follow, in the order of their creation.  Starting goes the other way round.
 */
#ifndef RINGSIDE_MIGRATION_VM_STOP_H
#define RINGSIDE_MIGRATION_VM_STOP_H

#include <stdint.h>

struct migration_vm;
struct ram_writer;

/* See above. An actor's call. Returns how long it took, ns. */
int64_t
vm_stop(struct migration_vm *vm);
/* The devices' half of it, which vm_stop() includes unless a fault puts it off. */
void
vm_stop_devices(struct migration_vm *vm);
/* A device's writer stops when what it writes is written; vhost's log is handed over. */
void
vm_stop_writer(struct ram_writer *v);
void
vm_start(struct migration_vm *vm);
/* Wait until it runs. */
void
vm_wait_running(struct migration_vm *vm);

#endif
