/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/virtio_driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "datapath/registry.h"
#include "virtio/device.h"

/* Bits that rings and transports share out (2.2). */
#define RING_BITS_FIRST 24u
#define RING_BITS_LAST 49u

#define POLL_NS 1000000 /* msleep(1) between looks at a register that is to become 0 */
#define STATUS_GONE 0xffu /* what a function that is not there reads as */
#define VECTOR_CONFIG 0u

static void
set_state(struct guest_virtio *dev, enum guest_virtio_state state, unsigned status)
{
	static const char *const name[] = { "reset", "started", "ready", "failed", "removed" };

	dev->state = state;
	emit(dev->w, EV_DRIVER_STATE, dev->name, world_name(dev->w, name[state]), status);
}

void
guest_virtio_init(struct guest_virtio *dev, struct world *w,
		  const struct guest_virtio_config *config, uint64_t type)
{
	*dev = (struct guest_virtio){ .w = w, .config = *config };
	dev->name = world_name(w, config->name ? config->name : "virtio");
	dev->known = type | GUEST_VIRTIO_FEATURES;
	if (config->features)
		dev->known &=
			datapath_features(w, config->features) | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	if (!dev->config.datapath)
		dev->config.datapath = datapath_driver(w);
	waitq_init(&dev->config_wait, w, "configuration change");
	if (!dev->config.datapath->driver)
		world_fail(w, "datapath %s has no driver side", dev->config.datapath->name);
}

/* --- status and features -------------------------------------------------------------------- */

/* virtio_add_status(): a read and a write. */
static uint8_t
add_status(struct guest_virtio *dev, struct guest_cpu *cpu, uint8_t bits)
{
	uint8_t status = (uint8_t)guest_pci_get(&dev->pci, cpu, device_status);

	status |= bits;
	guest_pci_set(&dev->pci, cpu, device_status, status);
	return status;
}

/* Write 0 and wait until it reads 0: resetting may take the device time (4.1.4.3.2). */
static void
write_reset(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	uint8_t status;

	guest_pci_set(&dev->pci, cpu, device_status, 0);
	if (fault_on(dev->w, FAULT_GUEST_RESET_NO_WAIT))
		return;
	while ((status = (uint8_t)guest_pci_get(&dev->pci, cpu, device_status))) {
		if (status == STATUS_GONE)
			break; /* surprise removal: nobody will answer */
		actor_sleep(dev->w, POLL_NS);
	}
}

/* Offered features that the driver, its datapath and the specification's dependencies allow. */
static uint64_t
choose_features(const struct guest_virtio *dev)
{
	const struct dp_driver_ops *ops = dev->config.datapath->driver;
	uint64_t ring = (VIRTIO_BIT(RING_BITS_LAST + 1) - 1) & ~(VIRTIO_BIT(RING_BITS_FIRST) - 1);
	/* Not the ring's matter: the transport does them. */
	uint64_t transport = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_RESET) |
			     VIRTIO_BIT(VIRTIO_F_SUSPEND);
	uint64_t features = dev->device_features & dev->known;

	features &= ~ring | ops->features | transport;
	return virtio_features_close(NULL, features);
}

int
guest_virtio_start(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	uint8_t status;

	guest_cpu_enter(cpu);
	if (!guest_pci_map(&dev->pci, dev->config.function, cpu))
		return -ENODEV;
	write_reset(dev, cpu);
	set_state(dev, GUEST_VIRTIO_RESET, 0);
	status = add_status(dev, cpu, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	if (status == STATUS_GONE)
		return -ENODEV;
	add_status(dev, cpu, VIRTIO_CONFIG_S_DRIVER);
	dev->device_features = guest_pci_device_features(&dev->pci, cpu);
	dev->features = choose_features(dev);
	emit(dev->w, EV_DRIVER_FEATURES, dev->name, (int64_t)dev->device_features,
	     (int64_t)dev->features);
	guest_pci_set_driver_features(&dev->pci, cpu, dev->features);
	add_status(dev, cpu, VIRTIO_CONFIG_S_FEATURES_OK);
	status = (uint8_t)guest_pci_get(&dev->pci, cpu, device_status);
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		guest_virtio_fail(dev, cpu);
		return -ENODEV;
	}
	set_state(dev, GUEST_VIRTIO_STARTED, status);
	return 0;
}

static void
config_changed(struct guest_virtio *dev)
{
	/* virtio_config_changed(): kept until the driver said that it is ready. */
	bool early = dev->state != GUEST_VIRTIO_READY;

	emit(dev->w, EV_CONFIG_CHANGED, dev->name, early);
	dev->config_pending = early;
	if (early)
		return;
	dev->config_changes++;
	if (dev->changed)
		dev->changed(dev, dev->changed_arg);
	waitq_wake_all(dev->w, &dev->config_wait);
}

void
guest_virtio_ready(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	uint8_t status;

	status = add_status(dev, cpu, VIRTIO_CONFIG_S_DRIVER_OK);
	set_state(dev, GUEST_VIRTIO_READY, status);
	if (dev->config_pending)
		config_changed(dev);
}

void
guest_virtio_fail(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	uint8_t status = add_status(dev, cpu, VIRTIO_CONFIG_S_FAILED);

	set_state(dev, GUEST_VIRTIO_FAILED, status);
}

void
guest_virtio_break(struct guest_virtio *dev)
{
	for (unsigned i = 0; i < dev->vq_count; i++)
		dev->vqs[i].broken = true;
}

void
guest_virtio_reset(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	write_reset(dev, cpu);
	dev->suspended = false;
	set_state(dev, GUEST_VIRTIO_RESET, 0);
	/* vp_synchronize_vectors(): handlers that run see the rings still. */
	for (unsigned i = 0; i < dev->irq_count; i++)
		if (dev->irqs[i].requested)
			irqdesc_synchronize(dev->irqs[i].desc);
}

/* --- interrupts ----------------------------------------------------------------------------- */

/* vp_config_changed() */
static enum irq_return
config_interrupt(struct guest_cpu *cpu, void *arg)
{
	config_changed(arg);
	return IRQ_HANDLED;
}

/* vp_vring_interrupt(): a vector that all queues share. */
static enum irq_return
shared_interrupt(struct guest_cpu *cpu, void *arg)
{
	struct guest_virtio *dev = arg;
	enum irq_return ret = IRQ_NONE;

	for (unsigned i = 0; i < dev->vq_count; i++)
		if (dev->vqs[i].ring && guest_vq_interrupt(cpu, &dev->vqs[i]) == IRQ_HANDLED)
			ret = IRQ_HANDLED;
	return ret;
}

/* vp_interrupt() */
static enum irq_return
intx_interrupt(struct guest_cpu *cpu, void *arg)
{
	struct guest_virtio *dev = arg;
	uint8_t isr = guest_pci_read_isr(&dev->pci, cpu);

	if (!isr)
		return IRQ_NONE;
	if (isr & VIRTIO_PCI_ISR_CONFIG)
		config_interrupt(cpu, dev);
	return shared_interrupt(cpu, dev);
}

/* What vector @n is for: its queue, or null for the configuration's and the shared one. */
static struct guest_vq *
vector_queue(struct guest_virtio *dev, unsigned n)
{
	if (dev->vectors == GUEST_VECTORS_EACH)
		for (unsigned i = 0; i < dev->vq_count; i++)
			if (dev->vqs[i].vector == n)
				return &dev->vqs[i];
	return NULL;
}

static void
request_vector(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned n, bool late)
{
	struct guest_vq *vq = vector_queue(dev, n);
	struct guest_cpu *target = vq && vq->info.affinity ? vq->info.affinity : cpu;
	char name[64];

	if (!late && fault_on(dev->w, FAULT_GUEST_IRQ_LATE)) {
		guest_irq_program_early(&dev->irqs[n], dev->config.function, n, cpu, target);
		return;
	}
	if (vq)
		snprintf(name, sizeof(name), "%s", world_name_text(dev->w, vq->name));
	else
		snprintf(name, sizeof(name), "%s.%s", world_name_text(dev->w, dev->name),
			 n == VECTOR_CONFIG ? "config" : "queues");
	guest_irq_request(&dev->irqs[n], name, dev->config.function, n, cpu, target,
			  vq		       ? guest_vq_interrupt
			  : n == VECTOR_CONFIG ? config_interrupt
					       : shared_interrupt,
			  vq ? (void *)vq : (void *)dev);
	if (dev->config.irq_count_max)
		dev->irqs[n].desc->count_max = dev->config.irq_count_max;
}

void
guest_virtio_late_irqs(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	for (unsigned i = 0; i < dev->irq_count; i++)
		if (!dev->irqs[i].requested && dev->irqs[i].early)
			request_vector(dev, cpu, i, true);
}

/* --- queues --------------------------------------------------------------------------------- */

/* vp_active_vq(): size, addresses and vector of the selected queue. */
static int
program_queue(struct guest_vq *vq, struct guest_cpu *cpu)
{
	struct guest_pci *pci = &vq->dev->pci;

	guest_pci_select(pci, cpu, vq->index);
	guest_pci_set(pci, cpu, queue_size, vq->vring.size);
	guest_pci_set(pci, cpu, queue_desc, vq->vring.desc);
	guest_pci_set(pci, cpu, queue_driver, vq->vring.driver);
	guest_pci_set(pci, cpu, queue_device, vq->vring.device);
	if (vq->vector != VIRTIO_MSI_NO_VECTOR &&
	    !guest_pci_set_queue_vector(pci, cpu, vq->index, vq->vector))
		return -EBUSY;
	return 0;
}

static void
enable_queue(struct guest_vq *vq, struct guest_cpu *cpu)
{
	guest_pci_select(&vq->dev->pci, cpu, vq->index);
	guest_pci_set(&vq->dev->pci, cpu, queue_enable, 1);
	vq->enabled = true;
}

/* setup_vq() */
static int
setup_queue(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned i,
	    const struct guest_vq_info *info, uint16_t vector)
{
	struct guest_pci *pci = &dev->pci;
	struct guest_vq *vq = &dev->vqs[i];
	uint64_t offset;
	uint16_t size;

	guest_pci_select(pci, cpu, (uint16_t)i);
	size = (uint16_t)guest_pci_get(pci, cpu, queue_size);
	if (!size || guest_pci_get(pci, cpu, queue_enable))
		return -ENOENT;
	offset = guest_pci_get(pci, cpu, queue_notify_off) * pci->notify_off_multiplier;
	if (info->size && info->size < size)
		size = info->size;
	guest_vq_create(vq, dev, (uint16_t)i, info, size, dev->features);
	vq->vector = vector;
	vq->doorbell_gpa = pci->notify_gpa + offset;
	return program_queue(vq, cpu);
}

/* Vectors that a way of sharing takes; 0 for INTx. */
static unsigned
vectors_needed(enum guest_vectors how, const struct guest_vq_info *info, unsigned count)
{
	unsigned n = 1;

	if (how == GUEST_VECTORS_INTX)
		return 0;
	if (how == GUEST_VECTORS_SHARED)
		return 2;
	for (unsigned i = 0; i < count; i++)
		n += info[i].name && info[i].callback != NULL;
	return n;
}

static int
find_vqs_intx(struct guest_virtio *dev, struct guest_cpu *cpu, const struct guest_vq_info *info)
{
	if (!guest_irq_request_intx(&dev->irqs[0], world_name_text(dev->w, dev->name),
				    dev->config.function, cpu, intx_interrupt, dev))
		return -EBUSY;
	for (unsigned i = 0; i < dev->vq_count; i++) {
		int ret = 0;

		if (info[i].name)
			ret = setup_queue(dev, cpu, i, &info[i], VIRTIO_MSI_NO_VECTOR);
		if (ret)
			return ret;
	}
	return 0;
}

/* vp_find_vqs_msix() */
static int
find_vqs_msix(struct guest_virtio *dev, struct guest_cpu *cpu, const struct guest_vq_info *info)
{
	uint16_t next = 1;

	if (!guest_msix_enable(dev->config.function, cpu, dev->irq_count))
		return -EBUSY;
	request_vector(dev, cpu, VECTOR_CONFIG, false);
	if (!guest_pci_set_config_vector(&dev->pci, cpu, VECTOR_CONFIG))
		return -EBUSY;
	if (dev->vectors == GUEST_VECTORS_SHARED)
		request_vector(dev, cpu, 1, false);
	for (unsigned i = 0; i < dev->vq_count; i++) {
		uint16_t vector = VIRTIO_MSI_NO_VECTOR;
		int ret;

		if (!info[i].name)
			continue;
		if (info[i].callback)
			vector = dev->vectors == GUEST_VECTORS_SHARED ? 1 : next++;
		ret = setup_queue(dev, cpu, i, &info[i], vector);
		if (ret)
			return ret;
		if (vector != VIRTIO_MSI_NO_VECTOR && dev->vectors == GUEST_VECTORS_EACH)
			request_vector(dev, cpu, vector, false);
	}
	return 0;
}

int
guest_virtio_find_vqs(struct guest_virtio *dev, struct guest_cpu *cpu,
		      const struct guest_vq_info *info, unsigned count)
{
	int ret = -EBUSY;

	for (unsigned how = dev->config.vectors; how <= GUEST_VECTORS_INTX && ret == -EBUSY;
	     how++) {
		dev->vectors = (enum guest_vectors)how;
		dev->vq_count = count;
		dev->vqs = world_alloc(dev->w, count * sizeof(*dev->vqs));
		for (unsigned i = 0; i < count; i++)
			dev->vqs[i].vector = VIRTIO_MSI_NO_VECTOR;
		dev->irq_count = vectors_needed(dev->vectors, info, count);
		if (!dev->irq_count)
			dev->irq_count = 1;
		dev->irqs = world_alloc(dev->w, dev->irq_count * sizeof(*dev->irqs));
		ret = how == GUEST_VECTORS_INTX ? find_vqs_intx(dev, cpu, info)
						: find_vqs_msix(dev, cpu, info);
		if (ret)
			guest_virtio_del_vqs(dev, cpu);
	}
	if (ret)
		return ret;
	for (unsigned i = 0; i < count; i++)
		if (info[i].name)
			enable_queue(&dev->vqs[i], cpu);
	return 0;
}

void
guest_virtio_del_vqs(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	bool msix = dev->vectors != GUEST_VECTORS_INTX;

	for (unsigned i = 0; i < dev->irq_count; i++)
		guest_irq_free(&dev->irqs[i]);
	for (unsigned i = 0; i < dev->vq_count; i++) {
		struct guest_vq *vq = &dev->vqs[i];

		if (msix && vq->ring)
			guest_pci_set_queue_vector(&dev->pci, cpu, vq->index, VIRTIO_MSI_NO_VECTOR);
		guest_vq_destroy(vq);
		vq->enabled = false;
	}
	if (msix && dev->irq_count) {
		guest_pci_set_config_vector(&dev->pci, cpu, VIRTIO_MSI_NO_VECTOR);
		guest_msix_disable(dev->config.function, cpu);
	}
	dev->irq_count = 0;
}

void
guest_virtio_remove(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	if (!fault_on(dev->w, FAULT_GUEST_REMOVE_NO_RESET))
		guest_virtio_reset(dev, cpu);
	guest_virtio_del_vqs(dev, cpu);
	set_state(dev, GUEST_VIRTIO_REMOVED, 0);
}

/* --- queue reset ---------------------------------------------------------------------------- */

static void
wait_zero(struct guest_virtio *dev, struct guest_cpu *cpu, size_t offset)
{
	while (guest_pci_read(&dev->pci, cpu, offset, 2))
		actor_sleep(dev->w, POLL_NS);
}

int
guest_vq_reset(struct guest_vq *vq, struct guest_cpu *cpu,
	       void (*recycle)(struct guest_vq *vq, uint64_t token))
{
	struct guest_virtio *dev = vq->dev;
	uint64_t token;
	int recycled = 0;

	if (!guest_virtio_has(dev, VIRTIO_F_RING_RESET))
		return -EOPNOTSUPP;
	guest_pci_select(&dev->pci, cpu, vq->index);
	guest_pci_set(&dev->pci, cpu, queue_reset, 1);
	if (!fault_on(dev->w, FAULT_GUEST_VQ_RESET_NO_WAIT)) {
		wait_zero(dev, cpu, offsetof(struct virtio_pci_common_cfg, queue_reset));
		wait_zero(dev, cpu, offsetof(struct virtio_pci_common_cfg, queue_enable));
	}
	vq->enabled = false;
	if (vq->vector != VIRTIO_MSI_NO_VECTOR && dev->irqs[vq->vector].requested)
		irqdesc_synchronize(dev->irqs[vq->vector].desc);
	while (guest_vq_detach_unused(vq, &token)) {
		recycled++;
		if (recycle)
			recycle(vq, token);
	}
	emit(dev->w, EV_VQ_RESET, vq->name, recycled);
	return 0;
}

int
guest_vq_enable(struct guest_vq *vq, struct guest_cpu *cpu, uint16_t size)
{
	uint16_t vector = vq->vector;
	uint64_t doorbell = vq->doorbell_gpa;
	struct guest_vq_info info = vq->info;
	int ret;

	guest_pci_select(&vq->dev->pci, cpu, vq->index);
	if (vq->enabled || guest_pci_get(&vq->dev->pci, cpu, queue_enable))
		return -EBUSY;
	if (!size)
		size = vq->vring.size;
	guest_vq_destroy(vq);
	guest_vq_create(vq, vq->dev, vq->index, &info, size, vq->dev->features);
	vq->vector = vector;
	vq->doorbell_gpa = doorbell;
	ret = program_queue(vq, cpu);
	if (!ret)
		enable_queue(vq, cpu);
	return ret;
}

/* --- configuration space -------------------------------------------------------------------- */

/* The widest access that offset and size allow: fields are read by their own width (4.1.3.1). */
static unsigned
config_step(unsigned offset, size_t left)
{
	if (left >= 4 && offset % 4 == 0)
		return 4;
	if (left >= 2 && offset % 2 == 0)
		return 2;
	return 1;
}

static void
config_read_once(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset, uint8_t *to,
		 size_t size)
{
	for (size_t done = 0; done < size;) {
		unsigned step = config_step(offset + (unsigned)done, size - done);
		uint64_t v = guest_mmio_read(cpu, dev->pci.device_gpa + offset + done, step);

		memcpy(to + done, &v, step);
		done += step;
	}
}

void
guest_virtio_config_read(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset, void *to,
			 size_t size)
{
	uint8_t before, after = (uint8_t)guest_pci_get(&dev->pci, cpu, config_generation);

	do {
		before = after;
		config_read_once(dev, cpu, offset, to, size);
		after = (uint8_t)guest_pci_get(&dev->pci, cpu, config_generation);
	} while (before != after);
}

uint32_t
guest_virtio_config_get32(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset)
{
	return (uint32_t)guest_mmio_read(cpu, dev->pci.device_gpa + offset, sizeof(uint32_t));
}

void
guest_virtio_config_write(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset,
			  const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		unsigned step = config_step(offset + (unsigned)done, size - done);
		uint64_t v = 0;

		memcpy(&v, (const uint8_t *)from + done, step);
		guest_mmio_write(cpu, dev->pci.device_gpa + offset + done, v, step);
		done += step;
	}
}
