/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI transport's registers, by accesses through the PCI decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/world.h"
#include "memory/guest_memory.h"
#include "notify/eventfd.h"
#include "notify/irqchip.h"
#include "virtio/blk.h"
#include "virtio/host_notifier.h"
#include "virtio/pci_transport.h"

#define BAR UINT64_C(0xfe000000)
#define V1 VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define RESET VIRTIO_BIT(VIRTIO_F_RING_RESET)
#define DATA VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA)

struct rig {
	struct world *w;
	struct memview *view;
	struct virtio_device vdev;
	struct virtio_pci *p;
	uint64_t events[EV_COUNT];
	struct event last[EV_COUNT];
	uint64_t features;
	uint32_t multiplier;
	bool ioeventfd;
	enum fault fault;
	void (*body)(void);
};

static struct rig *r;

static void
observe(struct world *w, const struct event *e, void *context)
{
	r->events[e->kind]++;
	r->last[e->kind] = *e;
}

#define AT(field) (BAR + offsetof(struct virtio_pci_common_cfg, field))
#define SIZE(field) ((uint32_t)sizeof(((struct virtio_pci_common_cfg *)0)->field))
#define get(field) memview_read(r->view, NULL, IO_MMIO, AT(field), SIZE(field))
#define set(field, value) memview_write(r->view, NULL, IO_MMIO, AT(field), SIZE(field), value)

static uint64_t
peek(uint64_t offset, uint32_t size)
{
	return memview_read(r->view, NULL, IO_MMIO, BAR + offset, size);
}
static enum io_result
poke(uint64_t offset, uint32_t size, uint64_t value)
{
	return memview_write(r->view, NULL, IO_MMIO, BAR + offset, size, value);
}

static void
setup(struct world *w, void *arg)
{
	const struct rig *wanted = arg;
	struct iobus *bus = iobus_create(w);
	struct virtio_pci_config c = { .notify_multiplier = wanted->multiplier,
				       .ioeventfd = wanted->ioeventfd,
				       .intx_gsi = 16 };

	r = world_alloc(w, sizeof(*r));
	*r = *wanted;
	r->w = w;
	world_observe(w, EV_COUNT, observe, NULL);
	gm_create(w, 1 << 20);
	if (r->fault)
		fault_set(w, r->fault, true);
	r->view = memview_create(w, bus);
	virtio_blk_create(&r->vdev, w, "blk0", datapath_native.device, wanted->features, 3, 8,
			  &(struct blk_config){ 0 });
	r->p = virtio_pci_create(&r->vdev, pci_bus_create(w, r->view), NULL, irqchip_create(w), &c);
	pci_set_bar(r->p->function, NULL, VIRTIO_PCI_BAR_MODERN, BAR);
	pci_set_command(r->p->function, NULL, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
}

static void
run_body(struct actor *self, void *arg)
{
	r->body();
}

/* Whether set-up and run went well. */
static bool
run(const struct rig *wanted)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	bool good = false;

	assert_non_null(w);
	if (!world_setup(w, setup, (void *)wanted, &err)) {
		actor_create(w, "driver", run_body, NULL, 0);
		good = world_run(w) == STOP_QUIESCENT;
	}
	world_destroy(w);
	return good;
}

static void
registers_body(void)
{
	assert_int_equal(get(num_queues), 3);
	assert_int_equal(get(config_msix_vector), VIRTIO_MSI_NO_VECTOR);
	set(device_feature_select, 1);
	assert_int_equal(get(device_feature), (V1 | RESET) >> 32);
	set(device_feature_select, 7);
	assert_int_equal(get(device_feature), 0);
	/* Read-only fields stay, and the write is an event (4.1.4.3.2). */
	set(num_queues, 9);
	assert_int_equal(get(num_queues), 3);
	assert_int_equal(r->events[EV_VIRTIO_COMMON_READONLY], 1);
	assert_string_equal(world_name_text(r->w, r->last[EV_VIRTIO_COMMON_READONLY].arg[1]),
			    "num_queues");
	set(device_status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(get(device_status), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* Queues: each its own set; one that does not exist has size 0 (4.1.4.3.1). */
	set(queue_select, 3);
	assert_int_equal(get(queue_size), 0);
	set(queue_size, 4);
	set(queue_select, 2);
	assert_int_equal(get(queue_size), 8);
	assert_int_equal(get(queue_notify_off), 2);
	set(queue_size, 3); /* not a power of two */
	set(queue_size, 16); /* more than there is */
	set(queue_size, 0);
	assert_int_equal(get(queue_size), 8);
	set(queue_size, 4);
	assert_int_equal(get(queue_size), 4);
	/* 64-bit fields in one piece or by halves (4.1.3.1). */
	set(queue_desc, UINT64_C(0x1122334455667788));
	assert_int_equal(peek(offsetof(struct virtio_pci_common_cfg, queue_desc) + 4, 4),
			 0x11223344);
	poke(offsetof(struct virtio_pci_common_cfg, queue_desc), 4, 0x1000);
	poke(offsetof(struct virtio_pci_common_cfg, queue_desc) + 4, 4, 0);
	assert_true(get(queue_desc) == 0x1000);
	set(queue_select, 0);
	assert_true(get(queue_desc) == 0);
	/* An access over two fields is nobody's. */
	assert_int_equal(peek(offsetof(struct virtio_pci_common_cfg, queue_size), 4), 0);
	/* Device-specific configuration. */
	assert_int_equal(peek(VIRTIO_PCI_DEVICE_OFFSET, 8), BLK_CAPACITY_SECTORS);
}

static void
queues_body(void)
{
	set(device_status, 3);
	set(driver_feature_select, 1);
	set(driver_feature, (V1 | RESET) >> 32);
	set(device_status, 11);
	assert_int_equal(get(device_status), 11);
	set(queue_select, 1);
	/* Mapped, read back; a vector that is not in the table maps nothing (4.1.5.1.2). */
	set(queue_msix_vector, 3);
	assert_int_equal(get(queue_msix_vector), 3);
	assert_int_equal(virtio_pci_notifier(&r->vdev.vqs[1])->vector, 3);
	set(queue_msix_vector, 4);
	assert_int_equal(get(queue_msix_vector), VIRTIO_MSI_NO_VECTOR);
	set(queue_msix_vector, 2);
	set(config_msix_vector, 0);
	assert_int_equal(get(config_msix_vector), 0);
	set(queue_enable, 0); /* nothing (4.1.4.3.2) */
	set(queue_enable, 1);
	assert_int_equal(get(queue_enable), 1);
	/* In use: not changed. */
	set(queue_desc, 0x8000);
	set(queue_size, 2);
	assert_int_equal(get(queue_desc), 0);
	assert_int_equal(get(queue_size), 8);
	assert_int_equal(get(queue_reset), 0);
	set(queue_reset, 1);
	assert_int_equal(get(queue_reset), 0);
	assert_int_equal(get(queue_enable), 0);
	assert_int_equal(get(queue_msix_vector), VIRTIO_MSI_NO_VECTOR);
	set(queue_msix_vector, 1);
	set(queue_enable, 1);
	set(device_status, 0);
	assert_int_equal(get(device_status), 0);
	assert_int_equal(get(queue_select), 0);
	assert_int_equal(get(config_msix_vector), VIRTIO_MSI_NO_VECTOR);
	set(queue_select, 1);
	assert_int_equal(get(queue_enable), 0);
	assert_int_equal(get(queue_msix_vector), VIRTIO_MSI_NO_VECTOR);
}

static void
no_reset_body(void)
{
	set(queue_enable, 1);
	set(queue_reset, 1); /* the feature was not negotiated */
	assert_int_equal(get(queue_enable), 1);
	assert_int_equal(r->events[EV_VIRTIO_QUEUE_RESET], 0);
}

static void
registers(void **state)
{
	assert_true(run(
		&(struct rig){ .features = V1 | RESET, .multiplier = 4, .body = registers_body }));
	assert_true(
		run(&(struct rig){ .features = V1 | RESET, .multiplier = 4, .body = queues_body }));
	assert_true(run(
		&(struct rig){ .features = V1 | RESET, .multiplier = 4, .body = no_reset_body }));
}

/* --- notifications -------------------------------------------------------------------------- */

/* Which queue the write reached, or -1; bad: whether it was noted as wrong. */
static int
ring(uint64_t offset, uint32_t size, uint64_t value, bool bad)
{
	uint64_t bads = r->events[EV_VIRTIO_DOORBELL_BAD];
	uint64_t kicks = r->events[EV_VIRTIO_QUEUE_NOTIFY];

	poke(VIRTIO_PCI_NOTIFY_OFFSET + offset, size, value);
	assert_int_equal(r->events[EV_VIRTIO_DOORBELL_BAD] - bads, bad);
	return r->events[EV_VIRTIO_QUEUE_NOTIFY] == kicks
		       ? -1
		       : (int)r->last[EV_VIRTIO_QUEUE_NOTIFY].arg[1];
}

static void
by_address_body(void)
{
	assert_int_equal(ring(0, 2, 0, false), 0);
	assert_int_equal(ring(8, 2, 2, false), 2);
	assert_int_equal(ring(8, 2, 1, true), 2); /* the address decides */
	assert_int_equal(ring(4, 4, 1, true), 1); /* the wrong width */
	assert_int_equal(ring(12, 2, 3, true), -1);
	assert_int_equal(r->vdev.transport->doorbell(&r->vdev.vqs[2]),
			 BAR + VIRTIO_PCI_NOTIFY_OFFSET + 8);
}

static void
by_value_body(void)
{
	assert_int_equal(ring(0, 2, 2, false), 2);
	assert_int_equal(ring(0, 2, 7, true), -1);
}

static void
with_data_body(void)
{
	set(driver_feature_select, 1);
	set(driver_feature, (V1 | DATA) >> 32);
	assert_int_equal(ring(4, 4, virtio_notification_data(1, 5), false), 1);
	assert_int_equal(ring(4, 4, virtio_notification_data(1, 4), false), 1); /* backwards */
	assert_int_equal(r->last[EV_VIRTIO_NOTIFICATION_DATA].arg[2], 4);
	assert_int_equal(r->last[EV_VIRTIO_NOTIFICATION_DATA].arg[3], 5);
	assert_int_equal(ring(4, 2, 1, true), 1);
}

/* Whether KVM takes a vCPU's doorbell write for queue @index. */
static bool
kvm_takes(uint16_t index)
{
	return iobus_write(r->view->bus, IO_MMIO,
			   BAR + VIRTIO_PCI_NOTIFY_OFFSET + index * r->multiplier, 2, index);
}

static void
ioeventfd_body(void)
{
	struct virtio_queue *vq = &r->vdev.vqs[1];
	uint64_t before;

	virtio_host_notifier_set(vq, true);
	before = eventfd_count(vq->host_notifier);
	assert_true(kvm_takes(1));
	assert_int_equal(eventfd_count(vq->host_notifier), before + 1);
	assert_int_equal(r->events[EV_VIRTIO_QUEUE_NOTIFY], 0); /* the VMM does not see it */
	assert_false(kvm_takes(2)); /* another queue's, maybe at the same address */
	/* Without decode there is no address to match. */
	pci_set_command(r->p->function, NULL, 0, PCI_COMMAND_MEMORY);
	assert_false(kvm_takes(1));
	pci_set_command(r->p->function, NULL, PCI_COMMAND_MEMORY, 0);
	assert_true(kvm_takes(1));
	virtio_host_notifier_set(vq, false);
	assert_false(kvm_takes(1));
}

static void
notifications(void **state)
{
	struct rig c = { .features = V1, .multiplier = 4, .body = by_address_body };

	assert_true(run(&c));
	c = (struct rig){ .features = V1, .body = by_value_body };
	assert_true(run(&c));
	c = (struct rig){ .features = V1 | DATA, .multiplier = 4, .body = with_data_body };
	assert_true(run(&c));
	/* The position is lost in an eventfd: refused, as by QEMU. */
	c.ioeventfd = true;
	assert_false(run(&c));
	c.fault = FAULT_NOTIFICATION_DATA_IOEVENTFD;
	assert_true(run(&c));
	c = (struct rig){
		.features = V1, .multiplier = 4, .ioeventfd = true, .body = ioeventfd_body
	};
	assert_true(run(&c));
	c.multiplier = 0;
	assert_true(run(&c));
}

/* --- ISR, bus mastering, decode ------------------------------------------------------------- */

static void
isr_body(void)
{
	intx_set_isr(r->p->intx, VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG);
	assert_int_equal(peek(VIRTIO_PCI_ISR_OFFSET, 1), 3);
	assert_int_equal(peek(VIRTIO_PCI_ISR_OFFSET, 1), 0); /* read to clear (4.1.4.5.1) */
	assert_false(r->vdev.disabled);
	pci_set_command(r->p->function, NULL, 0, PCI_COMMAND_MASTER);
	assert_true(r->vdev.disabled);
	pci_set_command(r->p->function, NULL, 0, PCI_COMMAND_MEMORY);
	assert_true(peek(0, 4) == UINT32_MAX || peek(0, 4) == UINT64_MAX);
	assert_int_equal(poke(VIRTIO_PCI_NOTIFY_OFFSET, 2, 0), IO_UNASSIGNED);
}

static void
isr_and_decode(void **state)
{
	assert_true(run(&(struct rig){ .features = V1, .multiplier = 4, .body = isr_body }));
}

/* The capabilities lead to the parts (4.1.4). */
static void
capabilities_body(void)
{
	const uint8_t *c = r->p->function->config;
	uint32_t offset[6] = { 0 }, length[6] = { 0 }, multiplier = 0;

	for (uint8_t at = c[PCI_CAPABILITY_LIST]; at; at = c[at + 1]) {
		if (c[at] != PCI_CAP_ID_VNDR)
			continue;
		assert_int_equal(c[at + 4], VIRTIO_PCI_BAR_MODERN);
		memcpy(&offset[c[at + 3]], c + at + 8, 4);
		memcpy(&length[c[at + 3]], c + at + 12, 4);
		if (c[at + 3] == VIRTIO_PCI_CAP_NOTIFY_CFG)
			memcpy(&multiplier, c + at + 16, 4);
	}
	assert_int_equal(length[VIRTIO_PCI_CAP_COMMON_CFG], 64);
	assert_int_equal(offset[VIRTIO_PCI_CAP_DEVICE_CFG], VIRTIO_PCI_DEVICE_OFFSET);
	assert_int_equal(length[VIRTIO_PCI_CAP_DEVICE_CFG], sizeof(struct virtio_blk_config));
	assert_int_equal(multiplier, 2048);
	/* Long enough for the last queue's doorbell (4.1.4.4.1). */
	assert_true(length[VIRTIO_PCI_CAP_NOTIFY_CFG] >= 2 * 2048 + 2);
}

static void
capabilities(void **state)
{
	assert_true(run(
		&(struct rig){ .features = V1, .multiplier = 2048, .body = capabilities_body }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(notifications),
		cmocka_unit_test(isr_and_decode),
		cmocka_unit_test(capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
