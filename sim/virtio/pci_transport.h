/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport (4.1): a virtio device as a PCI function with MSI-X.
 *
 *	BAR 1  32-bit            MSI-X table and pending bits
 *	BAR 4  64-bit, prefetch  0x0000  common configuration   (4.1.4.3)
 *	                         0x1000  ISR status             (4.1.4.5)
 *	                         0x2000  device configuration   (4.1.4.6)
 *	                         0x3000  notifications          (4.1.4.4)
 *
 * Four vendor capabilities say so (4.1.4); there is none for access through configuration space
 * (4.1.4.9).  Each part is a region of its own, as in QEMU, so that ioeventfds can be put on the
 * last.
 *
 * Notifications.  Queue n rings at n * multiplier.  Multiplier 0: all queues ring at one address
 * and are told apart by the value written (datamatch).  A write is 16 bits, the queue's index, or
 * with VIRTIO_F_NOTIFICATION_DATA 32 bits with index and position (2.9).  What comes to the VMM is
 * decoded by address, with multiplier 0 by value; what fits no queue is an event and ignored.
 *
 * ioeventfds carry no value: with NOTIFICATION_DATA the position in it is lost.  QEMU refuses the
 * pair (78378f450a), and so does virtio_pci_create().
 *
 * Each access is one exit, under the big lock (notify/memview.h).  Register events name the
 * field; a write to a read-only field is an event and ignored (4.1.4.3.2).
 */
#ifndef RINGSIDE_VIRTIO_PCI_TRANSPORT_H
#define RINGSIDE_VIRTIO_PCI_TRANSPORT_H

#include "notify/guest_notifier.h"
#include "notify/intx.h"
#include "notify/memview.h"
#include "notify/msix.h"
#include "notify/pci.h"
#include "virtio/device.h"

#define VIRTIO_PCI_BAR_MSIX 1u
#define VIRTIO_PCI_BAR_MODERN 4u
#define VIRTIO_PCI_PART_BYTES 0x1000u
#define VIRTIO_PCI_COMMON_OFFSET 0x0000u
#define VIRTIO_PCI_ISR_OFFSET 0x1000u
#define VIRTIO_PCI_DEVICE_OFFSET 0x2000u
#define VIRTIO_PCI_NOTIFY_OFFSET 0x3000u
#define VIRTIO_PCI_FIELDS 22 /* of the common configuration */

struct virtio_pci_config {
	unsigned vectors; /* of MSI-X; 0: one a queue and one for the configuration */
	uint32_t notify_multiplier; /* bytes: 0, or a power of two from 2 on (4.1.4.4.1) */
	enum guest_notifier_design design; /* what masking a vector does */
	uint32_t intx_gsi;
	bool ioeventfd; /* doorbells are to be ioeventfds */
	bool irqfd; /* interrupts of other threads are to be irqfds */
};

struct virtio_pci {
	struct virtio_device *vdev;
	struct pci_function *function;
	struct msix *msix;
	struct intx *intx;
	struct guest_notifiers *notifiers;
	struct memregion common, isr, device, notify;
	uint32_t notify_multiplier;
	bool ioeventfd, irqfd; /* as configured */
	int64_t field_name[VIRTIO_PCI_FIELDS]; /* for events */

	/* Registers that are the transport's own. */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
};

extern const struct virtio_transport_ops virtio_pci_ops;

/*
 * Give @vdev its function in @bus under @parent (null: on the root bus); BARs are not programmed
 * yet. Ends the run with an error if it offers NOTIFICATION_DATA and config->ioeventfd is set.
 */
struct virtio_pci *
virtio_pci_create(struct virtio_device *vdev, struct pci_bus *bus, struct pci_function *parent,
		  struct irqchip *chip, const struct virtio_pci_config *config);

/* What its design of suspending takes of PCI: power management, or FLR. After
 * virtio_suspend_init(). */
void
virtio_pci_add_power(struct virtio_pci *p);

static inline struct virtio_pci *
virtio_pci_of(const struct virtio_device *vdev)
{
	return vdev->transport_data;
}

/* The queue's guest notifier. */
static inline struct guest_notifier *
virtio_pci_notifier(const struct virtio_queue *vq)
{
	return guest_notifier_of(virtio_pci_of(vq->vdev)->notifiers, vq->index);
}

/* Accesses as the regions' callbacks make them; the lock is the caller's. */
void
virtio_pci_common_write(struct virtio_pci *p, uint32_t offset, uint32_t size, uint64_t value);
uint64_t
virtio_pci_common_read(struct virtio_pci *p, uint32_t offset, uint32_t size);
void
virtio_pci_notify_write(struct virtio_pci *p, uint32_t offset, uint32_t size, uint64_t value);

#endif
