/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/pci_transport.h"

#include <string.h>

#include "base/must.h"
#include "virtio/suspend.h"

/* --- the registers of 4.1.4.3 --------------------------------------------------------------- */

struct field {
	uint8_t offset, size;
	bool readonly;
	const char *name;
};

#define FIELD(f, ro) \
	{ \
		offsetof(struct virtio_pci_common_cfg, f), \
			sizeof(((struct virtio_pci_common_cfg *)0)->f), ro, #f \
	}

static const struct field fields[VIRTIO_PCI_FIELDS] = {
	FIELD(device_feature_select, false),  FIELD(device_feature, true),
	FIELD(driver_feature_select, false),  FIELD(driver_feature, false),
	FIELD(config_msix_vector, false),     FIELD(num_queues, true),
	FIELD(device_status, false),	      FIELD(config_generation, true),
	FIELD(queue_select, false),	      FIELD(queue_size, false),
	FIELD(queue_msix_vector, false),      FIELD(queue_enable, false),
	FIELD(queue_notify_off, true),	      FIELD(queue_desc, false),
	FIELD(queue_driver, false),	      FIELD(queue_device, false),
	FIELD(queue_notif_config_data, true), FIELD(queue_reset, false),
	FIELD(admin_queue_index, true),	      FIELD(admin_queue_num, true),
};

/* The field that holds [offset, offset + size), or -1; halves of a 64-bit one, too (4.1.3.1). */
static int
field_at(uint32_t offset, uint32_t size)
{
	for (int i = 0; i < VIRTIO_PCI_FIELDS && fields[i].name; i++)
		if (offset >= fields[i].offset &&
		    offset + size <= (uint32_t)fields[i].offset + fields[i].size)
			return i;
	return -1;
}

static struct virtio_queue *
selected(const struct virtio_pci *p)
{
	struct virtio_device *vdev = p->vdev;

	if (p->queue_select >= vdev->queue_count || !vdev->vqs[p->queue_select].size_max)
		return NULL;
	return &vdev->vqs[p->queue_select];
}

static void
address_write(uint64_t *address, uint32_t at, uint32_t size, uint64_t value)
{
	memcpy((char *)address + at, &value, size < 8 ? size : 8);
}

/* Map an event to a vector, or to none if there is no such vector (4.1.5.1.2). */
static uint16_t
vector_write(struct virtio_pci *p, int32_t queue, uint64_t value)
{
	uint16_t vector = value < p->msix->vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;

	guest_notifier_set_vector(guest_notifier_of(p->notifiers, queue), vector);
	return vector;
}

/* A queue in use is not changed: QEMU keeps such writes until the next enabling. */
static void
queue_write(struct virtio_pci *p, struct virtio_queue *vq, uint32_t offset, uint32_t size,
	    uint64_t value)
{
	switch (fields[field_at(offset, size)].offset) {
	case offsetof(struct virtio_pci_common_cfg, queue_size):
		if (!vq->enabled && value && value <= vq->size_max &&
		    (virtio_device_has(p->vdev, VIRTIO_F_RING_PACKED) || !(value & (value - 1))))
			vq->size = (uint16_t)value;
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_msix_vector):
		vq->vector = vector_write(p, vq->index, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_enable):
		if (value == 1) /* the driver may not write 0 (4.1.4.3.2) */
			virtio_queue_enable(vq);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_desc):
		if (!vq->enabled)
			address_write(&vq->desc_gpa, offset & 7, size, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_driver):
		if (!vq->enabled)
			address_write(&vq->driver_gpa, offset & 7, size, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_device):
		if (!vq->enabled)
			address_write(&vq->device_gpa, offset & 7, size, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_reset):
		if (value == 1 && virtio_device_has(p->vdev, VIRTIO_F_RING_RESET))
			virtio_queue_reset(vq);
		break;
	}
}

/*
 * "Its Configuration Space" (3.4.2) is the device's, not this.  Quirk: the RFC ignores all but
 * status while suspended, and a driver that resets a queue waits for it for ever.
 */
static bool
common_cfg_ignored(const struct virtio_device *vdev, unsigned field_offset)
{
	return virtio_suspended(vdev) &&
	       field_offset != offsetof(struct virtio_pci_common_cfg, device_status) &&
	       fault_on(vdev->w, FAULT_SUSPEND_COMMON_CFG_IGNORED);
}

void
virtio_pci_common_write(struct virtio_pci *p, uint32_t offset, uint32_t size, uint64_t value)
{
	struct virtio_device *vdev = p->vdev;
	struct virtio_queue *vq = selected(p);
	int field = field_at(offset, size);

	if (field < 0)
		return;
	emit(vdev->w, EV_VIRTIO_COMMON_WRITE, vdev->name, p->field_name[field], p->queue_select,
	     (int64_t)value, size);
	if (fields[field].readonly) {
		emit(vdev->w, EV_VIRTIO_COMMON_READONLY, vdev->name, p->field_name[field],
		     (int64_t)value);
		return;
	}
	if (common_cfg_ignored(vdev, fields[field].offset))
		return;
	switch (fields[field].offset) {
	case offsetof(struct virtio_pci_common_cfg, device_feature_select):
		p->device_feature_select = (uint32_t)value;
		break;
	case offsetof(struct virtio_pci_common_cfg, driver_feature_select):
		p->driver_feature_select = (uint32_t)value;
		break;
	case offsetof(struct virtio_pci_common_cfg, driver_feature):
		virtio_features_write(vdev, p->driver_feature_select, (uint32_t)value);
		break;
	case offsetof(struct virtio_pci_common_cfg, config_msix_vector):
		vdev->config_vector = vector_write(p, GUEST_NOTIFIER_CONFIG, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, device_status):
		virtio_set_status(vdev, (uint8_t)value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_select):
		p->queue_select = (uint16_t)value;
		break;
	default:
		if (vq)
			queue_write(p, vq, offset, size, value);
	}
}

static uint64_t
queue_read(const struct virtio_queue *vq, unsigned field_offset)
{
	switch (field_offset) {
	case offsetof(struct virtio_pci_common_cfg, queue_size):
		return vq->size;
	case offsetof(struct virtio_pci_common_cfg, queue_msix_vector):
		return vq->vector;
	case offsetof(struct virtio_pci_common_cfg, queue_enable):
		return vq->enabled;
	case offsetof(struct virtio_pci_common_cfg, queue_notify_off):
	case offsetof(struct virtio_pci_common_cfg, queue_notif_config_data):
		return vq->index;
	case offsetof(struct virtio_pci_common_cfg, queue_desc):
		return vq->desc_gpa;
	case offsetof(struct virtio_pci_common_cfg, queue_driver):
		return vq->driver_gpa;
	case offsetof(struct virtio_pci_common_cfg, queue_device):
		return vq->device_gpa;
	case offsetof(struct virtio_pci_common_cfg, queue_reset):
		return vq->resetting;
	default:
		return 0; /* no administration queues */
	}
}

static uint64_t
field_read(const struct virtio_pci *p, unsigned field_offset)
{
	const struct virtio_device *vdev = p->vdev;
	const struct virtio_queue *vq = selected(p);

	switch (field_offset) {
	case offsetof(struct virtio_pci_common_cfg, device_feature_select):
		return p->device_feature_select;
	case offsetof(struct virtio_pci_common_cfg, device_feature):
		return virtio_features_read(vdev, p->device_feature_select);
	case offsetof(struct virtio_pci_common_cfg, driver_feature_select):
		return p->driver_feature_select;
	case offsetof(struct virtio_pci_common_cfg, driver_feature):
		return virtio_driver_features_read(vdev, p->driver_feature_select);
	case offsetof(struct virtio_pci_common_cfg, config_msix_vector):
		return vdev->config_vector;
	case offsetof(struct virtio_pci_common_cfg, num_queues):
		return vdev->queue_count;
	case offsetof(struct virtio_pci_common_cfg, device_status):
		return vdev->status;
	case offsetof(struct virtio_pci_common_cfg, config_generation):
		return vdev->config_generation;
	case offsetof(struct virtio_pci_common_cfg, queue_select):
		return p->queue_select;
	default:
		return vq ? queue_read(vq, field_offset) : 0;
	}
}

uint64_t
virtio_pci_common_read(struct virtio_pci *p, uint32_t offset, uint32_t size)
{
	int field = field_at(offset, size);
	uint64_t value;

	if (field < 0)
		return 0;
	value = field_read(p, fields[field].offset) >> 8 * (offset - fields[field].offset);
	if (size < 8)
		value &= (UINT64_C(1) << 8 * size) - 1;
	emit(p->vdev->w, EV_VIRTIO_COMMON_READ, p->vdev->name, p->field_name[field],
	     p->queue_select, (int64_t)value, size);
	return value;
}

/* --- notifications (4.1.5.2) ---------------------------------------------------------------- */

void
virtio_pci_notify_write(struct virtio_pci *p, uint32_t offset, uint32_t size, uint64_t value)
{
	struct virtio_device *vdev = p->vdev;
	bool with_data = virtio_device_has(vdev, VIRTIO_F_NOTIFICATION_DATA);
	uint64_t index = value & 0xffff;
	bool bad = size != (with_data ? 4 : 2);

	if (p->notify_multiplier) {
		bad |= offset % p->notify_multiplier || index != offset / p->notify_multiplier;
		index = offset / p->notify_multiplier;
	}
	bad |= index >= vdev->queue_count;
	if (bad)
		emit(vdev->w, EV_VIRTIO_DOORBELL_BAD, vdev->name, offset, (int64_t)value, size);
	if (index >= vdev->queue_count)
		return;
	if (with_data) {
		struct virtio_queue *vq = &vdev->vqs[index];
		uint16_t position = (uint16_t)(value >> 16);

		emit(vdev->w, EV_VIRTIO_NOTIFICATION_DATA, vdev->name, vq->index, position,
		     vq->notify_position);
		if ((int16_t)(position - vq->notify_position) < 0)
			vq->notify_backwards++;
		vq->notify_position = position;
	}
	virtio_queue_notify(&vdev->vqs[index]);
}

static uint64_t
notify_offset(const struct virtio_queue *vq)
{
	return (uint64_t)vq->index * virtio_pci_of(vq->vdev)->notify_multiplier;
}

/* --- regions -------------------------------------------------------------------------------- */

static void
on_common_write(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value)
{
	virtio_pci_common_write(arg, (uint32_t)offset, length, value);
}

static uint64_t
on_common_read(void *arg, struct vcpu *v, uint64_t offset, uint32_t length)
{
	return virtio_pci_common_read(arg, (uint32_t)offset, length);
}

static uint64_t
on_isr_read(void *arg, struct vcpu *v, uint64_t offset, uint32_t length)
{
	struct virtio_pci *p = arg;

	return offset ? 0 : intx_read_isr(p->intx);
}

static void
on_device_write(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value)
{
	struct virtio_pci *p = arg;

	virtio_config_write(p->vdev, offset, &value, length);
}

static uint64_t
on_device_read(void *arg, struct vcpu *v, uint64_t offset, uint32_t length)
{
	struct virtio_pci *p = arg;
	uint64_t value = 0;

	virtio_config_read(p->vdev, offset, &value, length);
	return value;
}

static void
on_notify_write(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value)
{
	virtio_pci_notify_write(arg, (uint32_t)offset, length, value);
}

static const struct memregion_ops common_ops = { .write = on_common_write, .read = on_common_read };
static const struct memregion_ops isr_ops = { .read = on_isr_read };
static const struct memregion_ops device_ops = { .write = on_device_write, .read = on_device_read };
static const struct memregion_ops notify_ops = { .write = on_notify_write };

static void
on_command(void *arg, uint16_t from, uint16_t to)
{
	struct virtio_pci *p = arg;

	if ((from ^ to) & PCI_COMMAND_MASTER)
		virtio_set_disabled(p->vdev, !(to & PCI_COMMAND_MASTER));
	intx_update(p->intx);
}

static void
on_power(void *arg, bool d3hot)
{
	struct virtio_pci *p = arg;

	if (d3hot)
		virtio_suspend_enter(p->vdev);
	else
		virtio_suspend_leave(p->vdev);
}

static void
on_function_reset(void *arg)
{
	struct virtio_pci *p = arg;

	virtio_set_status(p->vdev, 0);
}

void
virtio_pci_add_power(struct virtio_pci *p)
{
	const struct virtio_suspend *s = p->vdev->suspend;

	if (s && s->policy->by == SUSPEND_BY_POWER) {
		pci_add_power(p->function, !s->policy->soft_reset);
		p->function->power_changed = on_power;
	}
	if (s && s->policy->by == SUSPEND_BY_OWNER) {
		pci_add_express(p->function);
		p->function->function_reset = on_function_reset;
	}
}

/* --- what the device asks of us ------------------------------------------------------------- */

static void
pci_interrupt(struct virtio_queue *vq, enum virtio_owner by)
{
	struct guest_notifier *n = virtio_pci_notifier(vq);

	switch (by) {
	case VIRTIO_OWNER_IOTHREAD:
		guest_notifier_notify_irqfd(n);
		break;
	case VIRTIO_OWNER_VHOST:
	case VIRTIO_OWNER_VHOST_USER:
		guest_notifier_call(n);
		break;
	default:
		guest_notifier_raise(n);
	}
}

static void
pci_config_interrupt(struct virtio_device *vdev)
{
	emit(vdev->w, EV_VIRTIO_NOTIFY_CONFIG, vdev->name, vdev->config_vector,
	     vdev->config_generation);
	guest_notifier_raise(
		guest_notifier_of(virtio_pci_of(vdev)->notifiers, GUEST_NOTIFIER_CONFIG));
}

/* virtio_pci_ioeventfd_assign(): any length, unless queues share an address. */
static void
pci_ioeventfd(struct virtio_queue *vq, bool assign)
{
	struct virtio_pci *p = virtio_pci_of(vq->vdev);
	bool match = !p->notify_multiplier;
	uint32_t length = match ? 2 : 0;

	if (!p->ioeventfd)
		return;
	if (assign)
		memregion_add_ioeventfd(&p->notify, notify_offset(vq), length, match,
					match ? vq->index : 0, vq->host_notifier);
	else
		memregion_del_ioeventfd(&p->notify, notify_offset(vq), length, match,
					match ? vq->index : 0, vq->host_notifier);
	vq->ioeventfd_assigned = assign;
}

static void
pci_transaction_begin(struct virtio_device *vdev)
{
	memview_begin(virtio_pci_of(vdev)->function->bus->view);
}

static void
pci_transaction_commit(struct virtio_device *vdev)
{
	memview_commit(virtio_pci_of(vdev)->function->bus->view);
}

static void
pci_guest_notifiers(struct virtio_device *vdev, bool assign)
{
	struct virtio_pci *p = virtio_pci_of(vdev);

	if (assign)
		guest_notifiers_start(p->notifiers, p->irqfd);
	else if (p->notifiers->started)
		guest_notifiers_stop(p->notifiers);
}

static uint64_t
pci_doorbell(const struct virtio_queue *vq)
{
	return pci_bar_address(virtio_pci_of(vq->vdev)->function, VIRTIO_PCI_BAR_MODERN) +
	       VIRTIO_PCI_NOTIFY_OFFSET + notify_offset(vq);
}

static void
pci_queue_reset(struct virtio_queue *vq)
{
	guest_notifier_set_vector(virtio_pci_notifier(vq), MSIX_NO_VECTOR);
	vq->notify_position = 0;
	vq->notify_backwards = 0;
}

static void
pci_reset(struct virtio_device *vdev)
{
	struct virtio_pci *p = virtio_pci_of(vdev);

	guest_notifier_set_vector(guest_notifier_of(p->notifiers, GUEST_NOTIFIER_CONFIG),
				  MSIX_NO_VECTOR);
	p->device_feature_select = p->driver_feature_select = 0;
	p->queue_select = 0;
	if (p->intx->isr)
		intx_read_isr(p->intx);
}

const struct virtio_transport_ops virtio_pci_ops = {
	.name = "virtio-pci",
	.interrupt = pci_interrupt,
	.config_interrupt = pci_config_interrupt,
	.ioeventfd = pci_ioeventfd,
	.transaction_begin = pci_transaction_begin,
	.transaction_commit = pci_transaction_commit,
	.guest_notifiers = pci_guest_notifiers,
	.doorbell = pci_doorbell,
	.reset = pci_reset,
	.queue_reset = pci_queue_reset,
};

/* --- creation ------------------------------------------------------------------------------- */

/* struct virtio_pci_cap, and behind it what the notification capability has (4.1.4, 4.1.4.4). */
static void
add_capability(struct virtio_pci *p, uint8_t cfg_type, uint32_t offset, uint32_t length)
{
	bool notify = cfg_type == VIRTIO_PCI_CAP_NOTIFY_CFG;
	uint8_t size = notify ? 20 : 16;
	uint8_t *cap = p->function->config + pci_add_capability(p->function, PCI_CAP_ID_VNDR, size);

	cap[2] = size;
	cap[3] = cfg_type;
	cap[4] = VIRTIO_PCI_BAR_MODERN;
	memcpy(cap + 8, &offset, 4);
	memcpy(cap + 12, &length, 4);
	if (notify)
		memcpy(cap + 16, &p->notify_multiplier, 4);
}

static uint64_t
round_up_pow2(uint64_t n)
{
	uint64_t size = VIRTIO_PCI_PART_BYTES;

	while (size < n)
		size *= 2;
	return size;
}

static void
create_parts(struct virtio_pci *p)
{
	struct memview *view = p->function->bus->view;
	uint32_t notify_bytes =
		(uint32_t)round_up_pow2((uint64_t)p->notify_multiplier * p->vdev->queue_count);

	pci_bar_init(p->function, VIRTIO_PCI_BAR_MODERN,
		     round_up_pow2(VIRTIO_PCI_NOTIFY_OFFSET + notify_bytes), false, true, true);
	memregion_init(&p->common, view, "virtio-pci-common", IO_MMIO, VIRTIO_PCI_PART_BYTES,
		       &common_ops, p);
	memregion_init(&p->isr, view, "virtio-pci-isr", IO_MMIO, VIRTIO_PCI_PART_BYTES, &isr_ops,
		       p);
	memregion_init(&p->device, view, "virtio-pci-device", IO_MMIO, VIRTIO_PCI_PART_BYTES,
		       &device_ops, p);
	memregion_init(&p->notify, view, "virtio-pci-notify", IO_MMIO, notify_bytes, &notify_ops,
		       p);
	pci_bar_add(p->function, VIRTIO_PCI_BAR_MODERN, VIRTIO_PCI_COMMON_OFFSET, &p->common);
	pci_bar_add(p->function, VIRTIO_PCI_BAR_MODERN, VIRTIO_PCI_ISR_OFFSET, &p->isr);
	pci_bar_add(p->function, VIRTIO_PCI_BAR_MODERN, VIRTIO_PCI_DEVICE_OFFSET, &p->device);
	pci_bar_add(p->function, VIRTIO_PCI_BAR_MODERN, VIRTIO_PCI_NOTIFY_OFFSET, &p->notify);
	add_capability(p, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_OFFSET,
		       sizeof(struct virtio_pci_common_cfg));
	add_capability(p, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_ISR_OFFSET, 1);
	add_capability(p, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_DEVICE_OFFSET,
		       (uint32_t)p->vdev->type->config_bytes);
	add_capability(p, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_NOTIFY_OFFSET, notify_bytes);
}

struct virtio_pci *
virtio_pci_create(struct virtio_device *vdev, struct pci_bus *bus, struct pci_function *parent,
		  struct irqchip *chip, const struct virtio_pci_config *config)
{
	struct world *w = vdev->w;
	struct virtio_pci *p = world_alloc(w, sizeof(*p));
	unsigned vectors = config->vectors ? config->vectors : vdev->queue_count + 1u;
	uint32_t multiplier = config->notify_multiplier;
	const char *name = vdev->name_text;

	must(!(multiplier & (multiplier - 1)) && multiplier != 1);
	if (config->ioeventfd && virtio_has(vdev->device_features, VIRTIO_F_NOTIFICATION_DATA) &&
	    !fault_on(w, FAULT_NOTIFICATION_DATA_IOEVENTFD))
		world_fail(w, "%s: NOTIFICATION_DATA needs a device without ioeventfds", name);
	p->vdev = vdev;
	p->ioeventfd = config->ioeventfd;
	p->irqfd = config->irqfd;
	p->notify_multiplier = multiplier;
	for (int i = 0; i < VIRTIO_PCI_FIELDS && fields[i].name; i++)
		p->field_name[i] = world_name(w, fields[i].name);
	p->function = pci_function_create(bus, parent, name, VIRTIO_PCI_VENDOR_ID,
					  (uint16_t)VIRTIO_PCI_DEVICE_ID(vdev->type->device_id));
	p->intx = intx_create(p->function, chip, config->intx_gsi);
	pci_bar_init(p->function, VIRTIO_PCI_BAR_MSIX, round_up_pow2(msix_bytes(vectors)), false,
		     false, false);
	p->msix = msix_create(p->function, chip, vectors, VIRTIO_PCI_BAR_MSIX, 0);
	create_parts(p);
	p->notifiers = guest_notifiers_create(w, name, chip, p->msix, p->intx, vdev->queue_count,
					      config->design);
	p->function->command_changed = on_command;
	p->function->arg = p;
	vdev->disabled = true; /* until the guest lets it be bus master */
	vdev->transport = &virtio_pci_ops;
	vdev->transport_data = p;
	return p;
}
