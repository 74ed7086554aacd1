/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/virtio_pci.h"

#include "base/must.h"
#include "notify/pci.h"

/* struct virtio_pci_cap (4.1.4): offsets in the capability. */
#define CAP_NEXT 1u
#define CAP_CFG_TYPE 3u
#define CAP_BAR 4u
#define CAP_OFFSET 8u
#define CAP_LENGTH 12u
#define CAP_NOTIFY_MULTIPLIER 16u
#define CAPS_MAX 48u /* a list longer than configuration space holds is a loop */

static uint32_t
config_read(struct guest_pci *pci, struct guest_cpu *cpu, unsigned offset, unsigned length)
{
	return pci_config_read(pci->function, cpu->vcpu, offset, length);
}

/* One vendor capability; the first of each type is the one to use (4.1.4.1). */
static void
take_cap(struct guest_pci *pci, struct guest_cpu *cpu, unsigned cap)
{
	uint32_t bar = config_read(pci, cpu, cap + CAP_BAR, 1);
	uint64_t gpa;

	if (bar >= PCI_BARS)
		return; /* reserved: to be ignored */
	gpa = pci_bar_address(pci->function, bar) + config_read(pci, cpu, cap + CAP_OFFSET, 4);
	switch (config_read(pci, cpu, cap + CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		if (!pci->common_gpa)
			pci->common_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (pci->notify_gpa)
			break;
		pci->notify_gpa = gpa;
		pci->notify_off_multiplier = config_read(pci, cpu, cap + CAP_NOTIFY_MULTIPLIER, 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		if (!pci->isr_gpa)
			pci->isr_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		if (pci->device_gpa)
			break;
		pci->device_gpa = gpa;
		pci->device_bytes = config_read(pci, cpu, cap + CAP_LENGTH, 4);
		break;
	default: /* others are not needed, or not known (4.1.4) */
		break;
	}
}

bool
guest_pci_map(struct guest_pci *pci, struct pci_function *f, struct guest_cpu *cpu)
{
	unsigned cap, caps = 0;

	*pci = (struct guest_pci){ .function = f };
	if (config_read(pci, cpu, PCI_VENDOR_ID, 2) != VIRTIO_PCI_VENDOR_ID)
		return false;
	pci_set_command(f, cpu->vcpu, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	cap = config_read(pci, cpu, PCI_CAPABILITY_LIST, 1);
	for (; cap && caps < CAPS_MAX; caps++) {
		if (config_read(pci, cpu, cap, 1) == PCI_CAP_ID_VNDR)
			take_cap(pci, cpu, cap);
		cap = config_read(pci, cpu, cap + CAP_NEXT, 1);
	}
	return pci->common_gpa && pci->notify_gpa && pci->isr_gpa;
}

/* --- registers ------------------------------------------------------------------------------ */

uint64_t
guest_pci_read(struct guest_pci *pci, struct guest_cpu *cpu, size_t offset, unsigned size)
{
	must(size <= 4); /* no 64-bit register is read back */
	return guest_mmio_read(cpu, pci->common_gpa + offset, size);
}

void
guest_pci_write(struct guest_pci *pci, struct guest_cpu *cpu, size_t offset, unsigned size,
		uint64_t value)
{
	if (size <= 4) {
		guest_mmio_write(cpu, pci->common_gpa + offset, value, size);
		return;
	}
	/*
	 * 64-bit fields by two 32-bit accesses (4.1.3.1), low half first as
	 * vp_iowrite64_twopart().
	 */
	guest_mmio_write(cpu, pci->common_gpa + offset, (uint32_t)value, 4);
	guest_mmio_write(cpu, pci->common_gpa + offset + 4, value >> 32, 4);
}

uint64_t
guest_pci_device_features(struct guest_pci *pci, struct guest_cpu *cpu)
{
	uint64_t low, high;

	guest_pci_set(pci, cpu, device_feature_select, 0);
	low = guest_pci_get(pci, cpu, device_feature);
	guest_pci_set(pci, cpu, device_feature_select, 1);
	high = guest_pci_get(pci, cpu, device_feature);
	return high << 32 | low;
}

void
guest_pci_set_driver_features(struct guest_pci *pci, struct guest_cpu *cpu, uint64_t features)
{
	guest_pci_set(pci, cpu, driver_feature_select, 0);
	guest_pci_set(pci, cpu, driver_feature, (uint32_t)features);
	guest_pci_set(pci, cpu, driver_feature_select, 1);
	guest_pci_set(pci, cpu, driver_feature, features >> 32);
}

uint8_t
guest_pci_read_isr(struct guest_pci *pci, struct guest_cpu *cpu)
{
	return (uint8_t)guest_mmio_read(cpu, pci->isr_gpa, 1);
}

void
guest_pci_select(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t queue)
{
	guest_pci_set(pci, cpu, queue_select, queue);
}

bool
guest_pci_set_config_vector(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t vector)
{
	guest_pci_set(pci, cpu, config_msix_vector, vector);
	return guest_pci_get(pci, cpu, config_msix_vector) == vector;
}

bool
guest_pci_set_queue_vector(struct guest_pci *pci, struct guest_cpu *cpu, uint16_t queue,
			   uint16_t vector)
{
	guest_pci_select(pci, cpu, queue);
	guest_pci_set(pci, cpu, queue_msix_vector, vector);
	return guest_pci_get(pci, cpu, queue_msix_vector) == vector;
}
