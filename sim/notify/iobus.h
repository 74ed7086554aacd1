/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's in-kernel I/O bus, as far as ioeventfds use it (KVM_IOEVENTFD, virt/kvm/eventfd.c): a write
 * of a vCPU that matches an entry signals an eventfd and goes on in the guest, without the VMM.
 *
 * Entry: bus (MMIO or PIO), address, length 1, 2, 4, 8, or 0, and optionally a value.
 *	- length 0 looks at the address only and is put on the fast bus, too, which is asked before
 *	  the instruction is decoded; it cannot have a value (EINVAL);
 *	- two entries collide (EEXIST) at the same address of the same bus if one has length 0, or
 *	  the lengths are equal and one has no value or the values are equal;
 *	- removing names exactly what was assigned, the eventfd included (ENOENT).
 *
 * Removing an entry needs memory for the smaller array.  If there is none (the fault
 * `kvm.iobus.unregister_enomem` lets the choice decide) the whole bus is gone, as in the kernel:
 * all its writes go to the VMM from then on, and nobody is told.
 */
#ifndef RINGSIDE_NOTIFY_IOBUS_H
#define RINGSIDE_NOTIFY_IOBUS_H

#include "engine/world.h"
#include "notify/eventfd.h"

/* ORDER IO_SPACE */
enum io_space { IO_MMIO, IO_PIO, IO_SPACES };

extern const char *const io_space_name[IO_SPACES];

struct ioeventfd {
	enum io_space space;
	uint64_t address;
	uint32_t length;
	bool match; /* KVM_IOEVENTFD_FLAG_DATAMATCH */
	uint64_t value; /* if match */
	struct eventfd *fd;
	uint64_t matched; /* writes that hit it */
	struct ioeventfd *next;
};

struct iobus {
	struct world *world;
	struct ioeventfd *list; /* in the order of assignment */
	bool destroyed[IO_SPACES];
	int64_t space_names[IO_SPACES]; /* world_name() numbers */
};

struct iobus *
iobus_create(struct world *w);

/*
 * KVM_IOEVENTFD with @e's space, address, length, match, value and fd: 0, -EINVAL, -EEXIST,
 * -ENOMEM.
 */
int
iobus_assign(struct iobus *bus, const struct ioeventfd *e);
/* With KVM_IOEVENTFD_FLAG_DEASSIGN: 0 or -ENOENT. */
int
iobus_deassign(struct iobus *bus, const struct ioeventfd *e);

/* A vCPU's write: signals and returns true if an entry matches. */
bool
iobus_write(struct iobus *bus, enum io_space space, uint64_t address, uint32_t length,
	    uint64_t value);

/* The first entry that signals @fd, or null: for the debug interface. */
const struct ioeventfd *
iobus_find(const struct iobus *bus, const struct eventfd *fd);

#endif
