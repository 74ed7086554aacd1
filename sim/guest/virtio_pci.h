/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio registers of a PCI function as a driver reaches them (4.1.4; Linux:
 * virtio_pci_modern_dev.c): find the structures by the capability list, then read and write them by
 * MMIO.  Each call is as many accesses as the register takes, each through the CPU's decode: with
 * memory decode off, or a bridge's window closed, reads are all ones and writes vanish.
 *
 * Addresses are taken once, as ioremap() does: a BAR that is moved afterwards is not found again.
 */
#ifndef RINGSIDE_GUEST_VIRTIO_PCI_H
#define RINGSIDE_GUEST_VIRTIO_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/cpu.h"
#include "virtio/spec.h"

struct pci_function;

struct guest_pci {
	struct pci_function *function;
	uint64_t common_gpa, notify_gpa, isr_gpa, device_gpa; /* 0: no such structure */
	uint32_t device_bytes;
	uint32_t notify_off_multiplier;
};

/* Enable decode and bus mastering, walk the capabilities. False: not a modern virtio function. */
bool
guest_pci_map(struct guest_pci *pci, struct pci_function *f, struct guest_cpu *cpu);

/* A field of struct virtio_pci_common_cfg, by its offset and size. */
uint64_t
guest_pci_read(struct guest_pci *pci, struct guest_cpu *cpu, size_t offset, unsigned size);
void
guest_pci_write(struct guest_pci *pci, struct guest_cpu *cpu, size_t offset, unsigned size,
		uint64_t value);
#define guest_pci_get(pci, cpu, field) \
	guest_pci_read(pci, cpu, offsetof(struct virtio_pci_common_cfg, field), \
		       sizeof(((struct virtio_pci_common_cfg *)0)->field))
#define guest_pci_set(pci, cpu, field, value) \
	guest_pci_write(pci, cpu, offsetof(struct virtio_pci_common_cfg, field), \
			sizeof(((struct virtio_pci_common_cfg *)0)->field), value)

uint64_t
guest_pci_device_features(struct guest_pci *pci, struct guest_cpu *cpu);
void
guest_pci_set_driver_features(struct guest_pci *pci, struct guest_cpu *cpu, uint64_t features);

/* Read-to-clear (4.1.4.5). */
uint8_t
guest_pci_read_isr(struct guest_pci *pci, struct guest_cpu *cpu);

/* Select @queue; everything about a queue below needs that first. */
void
guest_pci_select(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t queue);

/* Map and read back; false if the device did not take it (4.1.5.1.2). */
bool
guest_pci_set_config_vector(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t vector);
bool
guest_pci_set_queue_vector(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t queue,
			   uint16_t vector);

#endif
