/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each statement that is checked: the offence that trips its oracle, and nothing else before it. */
#include "test_oracle_rig.h"

#include "guest/raw_driver.h"

#define IDX VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define INORD VIRTIO_BIT(VIRTIO_F_IN_ORDER)
#define IND VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define DATA VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA)
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static void
off(struct fake *f, enum oracle o)
{
	oracle_enable(f->w, o, false);
}

/* --- status --------------------------------------------------------------------------------- */

static void
r_2_1_1_R1(struct fake *f)
{
	reset(f);
	status(f, ACK | 0x20);
}
static void
r_2_1_1_R2(struct fake *f)
{
	reset(f);
	status(f, ACK | DRV);
	status(f, DRV);
}
static void
r_2_1_1_R3(struct fake *f)
{
	reset(f);
	status(f, ACK | VIRTIO_CONFIG_S_FAILED);
	status(f, ACK | DRV | VIRTIO_CONFIG_S_FAILED);
}
static void
d_2_1_2_D1(struct fake *f)
{
	begin(f, 0);
	queue_up(f, 0);
	add(f, 0, 0);
	off(f, ORACLE_INV_CONS);
	pop(f, 0, 0);
}
static void
d_2_1_2_D2(struct fake *f)
{
	begin(f, 0);
	queue_up(f, 0);
	notify(f, 0);
}
static void
d_2_1_2_D3(struct fake *f)
{
	up(f, 0);
	emit(f->w, EV_VIRTQUEUE_GUEST_ERROR, f->dev, 0, world_name(f->w, "x"), 0);
}
static void
error(struct fake *f)
{
	emit(f->w, EV_VIRTIO_ERROR, f->dev, 0, ALL_OK | 64);
}
static void
d_2_1_2_D4(struct fake *f)
{
	up(f, 0);
	error(f);
}
static void
d_2_4_1_D1(struct fake *f)
{
	up(f, 0);
	status(f, 0);
	rd(f, "device_status", 0, ALL_OK);
}
static void
d_2_4_1_D2(struct fake *f)
{
	up(f, 0);
	reset(f);
	notify(f, 0);
}
static void
d_2_4_1_D2_config(struct fake *f)
{
	up(f, 0);
	reset(f);
	emit(f->w, EV_VIRTIO_NOTIFY_CONFIG, f->dev, 0, 0);
}
static void
d_2_4_1_D3(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	reset(f);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 0, 0, 0);
}
static void
d_2_4_1_D3_net(struct fake *f)
{
	up(f, 0);
	reset(f);
	emit(f->w, EV_VIRTIO_NET_RX, f->dev, 0, 60, 1);
}
static void
r_2_4_2_R1(struct fake *f)
{
	f->vdev.transport = NULL; /* on PCI it is 4.1.4.3.2-R4 */
	up(f, 0);
	status(f, 0);
	emit(f->w, EV_VQ_DESTROY, f->q[0].name);
}
static void
r_3_1_1_R1(struct fake *f)
{
	reset(f);
	status(f, DRV);
}
static void
r_3_1_1_R1_no_reset(struct fake *f)
{
	status(f, ACK);
}
static void
r_3_1_1_R1_features(struct fake *f)
{
	reset(f);
	status(f, ACK);
	wr(f, "driver_feature", 0, 1);
}
static void
r_3_1_1_R1_queue(struct fake *f)
{
	reset(f);
	status(f, ACK | DRV);
	queue_create(f, 0);
	queue_program(f, 0);
	wr(f, "queue_enable", 0, 1);
}
static void
r_3_1_1_R2(struct fake *f)
{
	reset(f);
	status(f, ACK | DRV);
	emit(f->w, EV_VIRTIO_CONFIG_WRITE, f->dev, 0, 1, 3);
}
static void
r_3_1_1_R3(struct fake *f)
{
	begin(f, 0);
	wr(f, "driver_feature_select", 0, 0);
	wr(f, "driver_feature", 0, 1);
}
static void
fok_unread(struct fake *f)
{
	f->offered = f->wanted = FAKE_FEATURES;
	reset(f);
	status(f, ACK | DRV);
	status(f, ACK | DRV | FOK);
}
static void
r_3_1_1_R4(struct fake *f)
{
	fok_unread(f);
	status(f, ALL_OK);
}
static void
r_3_1_1_R4_queue(struct fake *f)
{
	fok_unread(f);
	queue_create(f, 0);
	queue_program(f, 0);
	wr(f, "queue_enable", 0, 1);
}
static void
refused(struct fake *f)
{
	f->refuse = true;
	begin(f, 0);
}
static void
r_3_1_1_R5(struct fake *f)
{
	refused(f);
	status(f, ALL_OK);
}
static void
r_3_1_1_R7(struct fake *f)
{
	begin(f, 0);
	queue_up(f, 0);
	emit(f->w, EV_VQ_NOTIFY, f->q[0].name, 0, 2);
}
static void
r_3_3_1_R1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	desc(f, 0, 1, 32, WRITE, 0);
}
static void
r_3_3_1_R2(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	emit(f->w, EV_VQ_DESTROY, f->q[0].name);
}

/* --- negotiation ---------------------------------------------------------------------------- */

static void
negotiate(struct fake *f, uint64_t offered, uint64_t wanted)
{
	f->offered = offered;
	f->wanted = wanted;
	reset(f);
	status(f, ACK | DRV);
	features(f);
	status(f, ACK | DRV | FOK);
}
static void
r_2_2_1_R1(struct fake *f)
{
	negotiate(f, FAKE_FEATURES, FAKE_FEATURES | IDX);
}
static void
r_2_2_1_R2(struct fake *f)
{
	off(f, ORACLE_VIRTIO_6_1_R1);
	negotiate(f, FAKE_FEATURES, VIRTIO_BIT(VIRTIO_F_RING_RESET));
}
static void
r_2_2_1_R3(struct fake *f)
{
	negotiate(f, FAKE_FEATURES | VIRTIO_BIT(45), FAKE_FEATURES | VIRTIO_BIT(45));
}
static void
d_2_2_2_D1(struct fake *f)
{
	negotiate(f, FAKE_FEATURES | VIRTIO_BIT(VIRTIO_NET_F_MQ), FAKE_FEATURES);
}
static void
d_2_2_2_D2(struct fake *f)
{
	off(f, ORACLE_VIRTIO_2_2_1_R1);
	negotiate(f, FAKE_FEATURES, FAKE_FEATURES | IDX);
}
static void
d_2_2_2_D4(struct fake *f)
{
	begin(f, 0);
	f->refuse = true;
	begin(f, 0);
	status(f, ACK | DRV | VIRTIO_CONFIG_S_FAILED);
}
static void
r_5_1_3_1_R1(struct fake *f)
{
	uint64_t vq = VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ), mq = VIRTIO_BIT(VIRTIO_NET_F_MQ);

	negotiate(f, FAKE_FEATURES | vq | mq, FAKE_FEATURES | mq);
}
static void
r_6_1_R1(struct fake *f)
{
	negotiate(f, FAKE_FEATURES, 0);
}
static void
r_6_1_R2(struct fake *f)
{
	up(f, 0);
	put_desc(f, desc_gpa(f, 0, 0), gm_size(f->w) - 8, 64, WRITE, 0);
	publish(f, 0, 0);
	added(f, 0);
}
static void
d_6_2_D1(struct fake *f)
{
	negotiate(f, IDX, IDX);
}
static void
d_6_2_D3(struct fake *f)
{
	negotiate(f, FAKE_FEATURES | VIRTIO_BIT(VIRTIO_F_SR_IOV), FAKE_FEATURES);
}

/* --- queue reset ---------------------------------------------------------------------------- */

static void
reset_queue(struct fake *f)
{
	up(f, 0);
	queue_reset(f, 0);
	queue_reset_done(f, 0);
}
static void
d_2_6_1_1_1_D1(struct fake *f)
{
	reset_queue(f);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 0, 0, 0);
}
static void
d_2_6_1_1_1_D2(struct fake *f)
{
	reset_queue(f);
	notify(f, 0);
}
static void
d_2_6_1_1_1_D3(struct fake *f)
{
	up(f, 0);
	queue_again(f, 0);
	add(f, 0, 0);
	add(f, 0, 2);
	pop(f, 0, 2);
}
static void
d_2_6_1_1_1_D3_used(struct fake *f)
{
	up(f, 0);
	queue_again(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	f->q[0].used = 5;
	push(f, 0, 0, 64);
}
static void
r_2_6_1_1_2_R1(struct fake *f)
{
	up(f, 0);
	queue_reset(f, 0);
	emit(f->w, EV_VQ_RESET, f->q[0].name, 0);
}
static void
r_2_6_1_1_2_R2(struct fake *f)
{
	up(f, 0);
	queue_reset(f, 0);
	emit(f->w, EV_VQ_DESTROY, f->q[0].name);
}
static void
d_2_6_1_2_1_D1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 4);
	queue_again(f, 0);
	pop(f, 0, 4);
}
static void
d_2_6_1_2_1_D1_vector(struct fake *f)
{
	up(f, 0);
	queue_again(f, 0);
	f->vdev.vqs[0].vector = 3;
	notify(f, 0);
}
static void
d_2_6_1_2_1_D1_used(struct fake *f)
{
	up(f, 0);
	queue_again(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	emit(f->w, EV_VIRTQUEUE_FILL, f->dev, 0, 0, 64);
	emit(f->w, EV_VIRTQUEUE_FLUSH, f->dev, 0, 1);
}
static void
r_2_6_1_2_2_R1(struct fake *f)
{
	reset_queue(f);
	rd(f, "queue_reset", 0, 0);
	wr(f, "queue_enable", 0, 1);
}
static void
d_4_1_4_3_1_D10(struct fake *f)
{
	begin(f, 0);
	rd(f, "queue_reset", 0, 1);
}
static void
d_4_1_4_3_1_D11(struct fake *f)
{
	up(f, 0);
	rd(f, "queue_reset", 0, 1);
}
static void
d_4_1_4_3_1_D12(struct fake *f)
{
	up(f, 0);
	queue_reset(f, 0);
	rd(f, "queue_reset", 0, 0);
}
static void
d_4_1_4_3_1_D12_late(struct fake *f)
{
	reset_queue(f);
	rd(f, "queue_reset", 0, 1);
}
static void
d_4_1_4_3_1_D12_enable(struct fake *f)
{
	reset_queue(f);
	rd(f, "queue_enable", 0, 1);
}
static void
r_4_1_4_3_2_R7(struct fake *f)
{
	reset_queue(f);
	queue_program(f, 0);
	wr(f, "queue_enable", 0, 1);
}

/* --- split ring ----------------------------------------------------------------------------- */

static void
expose(struct fake *f, uint16_t head)
{
	publish(f, 0, head);
	added(f, 0);
}
static void
r_2_7_1_R1(struct fake *f)
{
	begin(f, 0);
	queue_create(f, 0);
	queue_program(f, 0);
	f->vdev.vqs[0].desc_gpa += 8;
	queue_enable(f, 0);
}
static void
r_2_7_4_2_R1(struct fake *f)
{
	up(f, 0);
	desc(f, 0, 0, 64, NEXT | WRITE, 1);
	desc(f, 0, 1, 64, 0, 0);
	expose(f, 0);
}
static void
write_readable(struct fake *f)
{
	pop(f, 0, 0);
	put16(f, f->buffer_gpa + 62, 1);
}
static void
d_2_7_5_1_D1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	by_device(f, write_readable);
}
static void
write_descriptor(struct fake *f)
{
	pop(f, 0, 0);
	put16(f, desc_gpa(f, 0, 7) + 12, 1);
}
static void
d_2_7_5_1_D3(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	by_device(f, write_descriptor);
}
static void
r_2_7_5_2_R1(struct fake *f)
{
	up(f, 0);
	desc(f, 0, 0, 64, NEXT, 1);
	desc(f, 0, 1, 64, NEXT, 0);
	off(f, ORACLE_INV_OWN);
	expose(f, 0);
}
static void
r_2_7_5_2_R1_bytes(struct fake *f)
{
	up(f, 0);
	off(f, ORACLE_VIRTIO_6_1_R2);
	desc(f, 0, 0, UINT32_MAX, NEXT, 1);
	desc(f, 0, 1, 2, 0, 0);
	expose(f, 0);
}
static void
r_2_7_5_2_R2(struct fake *f)
{
	up(f, INORD);
	desc(f, 0, 0, 64, NEXT, 2);
	desc(f, 0, 2, 64, WRITE, 0);
	expose(f, 0);
}
static void
r_2_7_5_R3(struct fake *f)
{
	up(f, INORD);
	desc(f, 0, 1, 64, WRITE, 0);
	expose(f, 1);
}

static void
refer(struct fake *f, unsigned i, unsigned entries, uint16_t flags)
{
	put_desc(f, desc_gpa(f, 0, i), f->buffer_gpa + 4096, 16 * entries, INDIRECT | flags, 0);
}
static void
entry(struct fake *f, unsigned i, uint16_t flags, uint16_t next)
{
	put_desc(f, f->buffer_gpa + 4096 + 16 * i, f->buffer_gpa + 256 * i, 64, flags, next);
}
static void
r_2_7_5_3_1_R1(struct fake *f)
{
	up(f, 0);
	entry(f, 0, 0, 0);
	refer(f, 0, 1, 0);
	expose(f, 0);
}
static void
r_2_7_5_3_1_R2(struct fake *f)
{
	up(f, IND);
	entry(f, 0, INDIRECT, 0);
	refer(f, 0, 1, 0);
	expose(f, 0);
}
static void
r_2_7_5_3_1_R3(struct fake *f)
{
	up(f, IND);
	for (uint16_t i = 0; i < FAKE_SIZE; i++)
		entry(f, i, i + 1u < FAKE_SIZE ? NEXT : 0, (uint16_t)(i + 1));
	refer(f, 0, FAKE_SIZE, 0);
	expose(f, 0);
}
static void
r_2_7_5_3_1_R4(struct fake *f)
{
	up(f, IND);
	entry(f, 0, 0, 0);
	refer(f, 0, 1, NEXT);
	expose(f, 0);
}
static void
r_2_7_5_3_1_R5(struct fake *f)
{
	up(f, IND | INORD);
	entry(f, 0, NEXT, 2);
	entry(f, 2, 0, 0);
	refer(f, 0, 3, 0);
	expose(f, 0);
}
static void
d_2_7_5_3_2_D1(struct fake *f)
{
	up(f, IND);
	entry(f, 0, 0, 0);
	refer(f, 0, 1, WRITE);
	expose(f, 0);
	pop_as(f, 0, 0, 0, 1);
}
static void
d_2_7_5_3_2_D2(struct fake *f)
{
	up(f, IND);
	desc(f, 0, 0, 64, NEXT, 1);
	entry(f, 0, WRITE, 0);
	refer(f, 1, 1, 0);
	expose(f, 0);
	pop_as(f, 0, 0, 1, 0);
}
static void
r_2_7_6_1_R1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	avail_idx(f, 0, 0);
	added(f, 0);
}
static void
r_2_7_6_1_X2(struct fake *f)
{
	up(f, 0);
	avail_idx(f, 0, FAKE_SIZE + 1);
	added(f, 0);
}
static void
d_2_7_8_X3(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	add(f, 0, 2);
	pop(f, 0, 0);
	push(f, 0, 0, 64);
	got(f, 0);
	put_used(f, 0, 0, 64);
	flush(f, 0, 1);
}
static void
d_2_7_8_X3_range(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	put_used(f, 0, 99, 0);
	flush(f, 0, 1);
}
static void
d_2_7_8_X4(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	put_used(f, 0, 0, 0);
	flush(f, 0, 2);
}
/* The index first; each time with an element that was published in order before. */
static void
d_2_7_8_2_D1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	push(f, 0, 0, 8);
	add(f, 0, 2);
	pop(f, 0, 2);
	put16(f, f->q[0].vring.device + 2, 2);
	f->q[0].used = 1;
	put_used(f, 0, 2, 8);
}
static void
r_2_7_13_3_1_R1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	desc(f, 0, 2, 64, 0, 0);
	avail_idx(f, 0, 2);
	put16(f, f->q[0].vring.driver + 4 + 2, 2);
}
static void
r_2_7_13_3_1_R1_descriptor(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	desc(f, 0, 2, 64, VRING_DESC_F_NEXT, 3);
	publish(f, 0, 2);
	desc(f, 0, 3, 64, VRING_DESC_F_WRITE, 0);
}
static void
d_2_7_8_2_D2(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	push(f, 0, 0, 65);
}
static void
three_in_order(struct fake *f)
{
	up(f, INORD);
	for (uint16_t head = 0; head < 6; head += 2)
		add(f, 0, head);
	pop(f, 0, 0);
	pop(f, 0, 2);
}
static void
d_2_7_9_D1(struct fake *f)
{
	three_in_order(f);
	put_used(f, 0, 4, 0);
	flush(f, 0, 3);
}
static void
d_6_2_D2(struct fake *f)
{
	three_in_order(f);
	put_used(f, 0, 2, 0);
	flush(f, 0, 1);
}
static void
inv_cons(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	pop(f, 0, 3);
}
static void
inv_cons_fill(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	emit(f->w, EV_VIRTQUEUE_FILL, f->dev, 0, 0, 1);
}
static void
inv_cons_head(struct fake *f)
{
	up(f, 0);
	expose(f, 99);
}
static void
inv_own(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	expose(f, 0);
}
static void
other_descriptor(struct fake *f)
{
	desc(f, 0, 1, 32, WRITE, 0);
}
static void
inv_own_changed(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	by_device(f, other_descriptor); /* who said nothing yet, and is nobody */
	pop(f, 0, 0);
}
static void
inv_epoch(struct fake *f)
{
	up(f, 0);
	add(f, 0, 4);
	pop(f, 0, 4);
	queue_again(f, 0);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 4, 0, 0);
}

/* --- suppression ---------------------------------------------------------------------------- */

static void
avail_flags(struct fake *f, uint16_t v)
{
	put16(f, f->q[0].vring.driver, v);
}
static void
used_flags(struct fake *f, uint16_t v)
{
	put16(f, f->q[0].vring.device, v);
}
static void
r_2_7_7_1_R1(struct fake *f)
{
	up(f, 0);
	avail_flags(f, 2);
	add(f, 0, 0);
}
static void
r_2_7_7_1_R2(struct fake *f)
{
	up(f, IDX);
	avail_flags(f, 1);
	add(f, 0, 0);
}
static void
used_one(struct fake *f)
{
	add(f, 0, 0);
	pop(f, 0, 0);
	push(f, 0, 0, 64);
}
static void
d_2_7_7_2_D3(struct fake *f)
{
	up(f, 0);
	avail_flags(f, 1);
	used_one(f);
	should_notify(f, 0, true);
}
static void
d_2_7_7_2_D6(struct fake *f)
{
	up(f, IDX);
	used_one(f);
	should_notify(f, 0, true); /* the first is not known to be one too many */
	used_event(f, 0, 7);
	got(f, 0);
	used_one(f);
	should_notify(f, 0, true);
}
static void
r_2_7_10_1_R1(struct fake *f)
{
	begin(f, 0);
	queue_create(f, 0);
	queue_program(f, 0);
	used_flags(f, 1);
	queue_enable(f, 0);
}
static void
r_2_7_10_1_R3(struct fake *f)
{
	up(f, 0);
	used_flags(f, 1);
	add(f, 0, 0);
	kick_prepared(f, 0, true, 0);
}
static void
r_2_7_10_1_R7(struct fake *f)
{
	up(f, IDX);
	avail_event(f, 0, 5);
	add(f, 0, 0);
	kick_prepared(f, 0, true, 0);
}
static void
d_2_7_10_2_D1(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	used_flags(f, 2);
	pop(f, 0, 0);
}
static void
d_2_7_10_2_D2(struct fake *f)
{
	up(f, IDX);
	add(f, 0, 0);
	used_flags(f, 1);
	pop(f, 0, 0);
}

/* --- doorbells, registers, interrupts ------------------------------------------------------- */

static void
r_2_9_R1(struct fake *f)
{
	up(f, DATA);
	add(f, 0, 0);
	kick_prepared(f, 0, true, 7 << 16);
}
static void
r_2_9_R2(struct fake *f)
{
	up(f, DATA);
	add(f, 0, 0);
	kick_prepared(f, 0, true, 1 << 16);
	kick_prepared(f, 0, false, 2 << 16);
}
static void
r_4_1_5_2_1_R1(struct fake *f)
{
	up(f, 0);
	emit(f->w, EV_VQ_NOTIFY, f->q[0].name, 0, 4);
}
static void
r_4_1_5_2_1_R2(struct fake *f)
{
	up(f, 0);
	emit(f->w, EV_VQ_NOTIFY, f->q[1].name, 0, 2);
}
static void
r_4_1_5_2_1_R2_bad(struct fake *f)
{
	up(f, 0);
	emit(f->w, EV_VIRTIO_DOORBELL_BAD, f->dev, 6, 0, 2);
}
static void
d_4_1_4_4_1_D1(struct fake *f)
{
	f->pci.notify.size_bytes = 4;
	up(f, 0);
}
static void
d_4_1_4_4_1_D2(struct fake *f)
{
	f->pci.notify_multiplier = 6;
	up(f, 0);
}
static void
d_4_1_4_3_1_D1(struct fake *f)
{
	f->offered = f->wanted = FAKE_FEATURES;
	reset(f);
	status(f, ACK | DRV);
	wr(f, "device_feature_select", 0, 1);
	rd(f, "device_feature", 0, 0);
	status(f, ACK | DRV | FOK);
}
static void
d_4_1_4_3_1_D2(struct fake *f)
{
	up(f, 0);
	rd(f, "config_generation", 0, 9);
	emit(f->w, EV_VIRTIO_CONFIG_READ, f->dev, 0, 4, 9);
	emit(f->w, EV_VIRTIO_CONFIG_STEP, f->dev, 4, 4, 9);
	emit(f->w, EV_VIRTIO_CONFIG_READ, f->dev, 4, 4, 9);
	rd(f, "config_generation", 0, 9);
}
static void
d_4_1_4_3_1_D3(struct fake *f)
{
	up(f, 0);
	wr(f, "device_status", 0, 0);
	emit(f->w, EV_VIRTIO_RESET, f->dev, ALL_OK);
	rd(f, "device_status", 0, 0);
}
static void
d_4_1_4_3_1_D4(struct fake *f)
{
	up(f, 0);
	reset(f);
	rd(f, "queue_enable", 0, 1);
}
static void
d_4_1_4_3_1_D5(struct fake *f)
{
	begin(f, 0);
	rd(f, "queue_size", 0, 6);
}
static void
d_4_1_4_3_1_D5_absent(struct fake *f)
{
	begin(f, 0);
	rd(f, "queue_size", 2, 8);
}
static void
r_4_1_4_3_2_R1(struct fake *f)
{
	begin(f, 0);
	emit(f->w, EV_VIRTIO_COMMON_READONLY, f->dev, world_name(f->w, "num_queues"), 9);
}
static void
r_4_1_4_3_2_R2(struct fake *f)
{
	begin(f, 0);
	wr(f, "queue_size", 0, 6);
}
static void
r_4_1_4_3_2_R3(struct fake *f)
{
	begin(f, 0);
	wr(f, "queue_desc", 0, 4096);
	wr(f, "queue_enable", 0, 1);
}
static void
r_4_1_4_3_2_R3_late(struct fake *f)
{
	up(f, 0);
	wr(f, "queue_device", 0, 4096);
}
static void
r_4_1_4_3_2_R4(struct fake *f)
{
	up(f, 0);
	status(f, 0);
	status(f, ACK);
}
static void
r_4_1_4_3_2_R5(struct fake *f)
{
	up(f, 0);
	wr(f, "queue_enable", 0, 0);
}
static void
isr_set(struct fake *f, int bits)
{
	emit(f->w, EV_ISR_SET, f->dev, bits, bits);
}
static void
isr_read(struct fake *f, int bits)
{
	emit(f->w, EV_ISR_READ, f->dev, bits);
}
static void
line(struct fake *f, int on)
{
	emit(f->w, EV_INTX_LEVEL, f->dev, 16, on);
}
static void
msix(struct fake *f, int on)
{
	emit(f->w, EV_MSIX_CONTROL, f->dev, on, 0);
}
static void
message(struct fake *f, int v)
{
	emit(f->w, EV_MSIX_NOTIFY, f->dev, v, 0);
}
static void
notify_config(struct fake *f)
{
	emit(f->w, EV_VIRTIO_NOTIFY_CONFIG, f->dev, 0, 0);
}
static void
d_4_1_4_5_1_D1(struct fake *f)
{
	up(f, 0);
	msix(f, 1);
	notify_config(f);
	raise(f, -1, 0);
	message(f, 0);
}
static void
d_4_1_4_5_1_D1_line(struct fake *f)
{
	up(f, 0);
	isr_set(f, 1);
	notify_config(f);
	line(f, 1);
}
static void
d_4_1_4_5_1_D2(struct fake *f)
{
	up(f, 0);
	isr_set(f, 2);
	notify(f, 0);
	raise(f, 0, -1);
	line(f, 1);
}
static void
d_4_1_4_5_1_D3(struct fake *f)
{
	up(f, 0);
	line(f, 1);
}
static void
d_4_1_4_5_1_D4(struct fake *f)
{
	up(f, 0);
	isr_set(f, 1);
	isr_read(f, 1);
	isr_read(f, 1);
}
static void
r_4_1_4_5_2_R1(struct fake *f)
{
	up(f, 0);
	msix(f, 1);
	isr_set(f, 1);
	isr_read(f, 1);
}
static void
d_4_1_5_1_2_1_D1(struct fake *f)
{
	up(f, 0);
	wr(f, "queue_msix_vector", 0, VIRTIO_MSI_NO_VECTOR);
	rd(f, "queue_msix_vector", 0, 1);
}
static void
d_4_1_5_1_2_1_D2(struct fake *f)
{
	begin(f, 0);
	wr(f, "queue_msix_vector", 0, 1);
	rd(f, "queue_msix_vector", 0, 2);
}
static void
d_4_1_5_1_2_1_D3(struct fake *f)
{
	up(f, 0);
	reset(f);
	rd(f, "config_msix_vector", 0, 0);
}
static void
r_4_1_5_1_2_2_R1(struct fake *f)
{
	begin(f, 0);
	wr(f, "queue_msix_vector", 0, 4);
}
static void
r_4_1_5_1_2_2_R2(struct fake *f)
{
	begin(f, 0);
	queue_create(f, 0);
	queue_program(f, 0);
	wr(f, "queue_msix_vector", 0, 1);
	wr(f, "queue_enable", 0, 1);
}
static void
r_4_1_5_1_2_2_R2_config(struct fake *f)
{
	begin(f, 0);
	wr(f, "config_msix_vector", 0, 0);
	status(f, ALL_OK);
}
static void
no_vector(struct fake *f, int queue)
{
	up(f, 0);
	msix(f, 1);
	vector(f, queue, VIRTIO_MSI_NO_VECTOR);
}
static void
d_4_1_5_3_1_D1(struct fake *f)
{
	no_vector(f, 0);
	notify(f, 0);
	isr_set(f, 1);
	message(f, 1);
}
static void
d_4_1_5_4_1_D1(struct fake *f)
{
	no_vector(f, -1);
	notify_config(f);
	isr_set(f, 2);
	message(f, 0);
}
static void
pci_pba(struct fake *f)
{
	up(f, 0);
	emit(f->w, EV_MSIX_PENDING, f->dev, 1, 1);
	emit(f->w, EV_MSIX_MASK, f->dev, 1, 0);
	emit(f->w, EV_MSIX_PENDING, f->dev, 1, 0);
}

/* --- the end of a run ----------------------------------------------------------------------- */

static void
hang(struct fake *f)
{
	struct waitq q;

	waitq_init(&q, f->w, "nobody");
	waitq_wait(f->w, &q);
}
static void
dirty_page_lost(struct fake *f)
{
	emit(f->w, EV_DIRTY_PAGE_LOST, 0xca, 1, 2, 3);
}
static void
uncovered(struct fake *f, const char *by, const char *why)
{
	int64_t writer = world_name(f->w, by), word = world_name(f->w, why);

	emit(f->w, EV_MIG_PAGE_UNCOVERED, 0xca, writer, 2, 1, word);
}
static void
migration_clear_after_read(struct fake *f)
{
	uncovered(f, "vcpu0", "clear");
}
static void
migration_stale(struct fake *f)
{
	uncovered(f, "vcpu0", "stale");
}
static void
migration_not_noted(struct fake *f)
{
	uncovered(f, "vcpu0", "last-sync");
}
static void
migration_device_not_noted(struct fake *f)
{
	uncovered(f, "vhost-net0", "write");
}
static void
migration_differs(struct fake *f)
{
	emit(f->w, EV_MIG_PAGE_DIFFERS, 0xca, 2, 1, 1);
}
static void
migration_slow_stop(struct fake *f)
{
	emit(f->w, EV_MIG_STOP, 0, 100000000);
	emit(f->w, EV_MIG_STOP, 0, 100000001);
}
static void
postcopy_refused(struct fake *f)
{
	emit(f->w, EV_POSTCOPY_PLACE, 0xca, 2, 0, 0, 0);
	emit(f->w, EV_POSTCOPY_REFUSED, 0xcb);
}
static void
postcopy_twice(struct fake *f)
{
	emit(f->w, EV_POSTCOPY_PLACE, 0xca, 2, 0, 0, 0);
	emit(f->w, EV_POSTCOPY_PLACE, 0xca, 2, 1, -17, 1);
}
static void
vdpa_faults(struct fake *f)
{
	emit(f->w, EV_VDPA_MAP, f->dev, 0, 0x1000, 0x1000, 0);
	emit(f->w, EV_VDPA_FAULT, f->dev, 0, 0x2000, 1, world_name(f->w, "unmapped"));
}
static void
vdpa_leaks(struct fake *f)
{
	emit(f->w, EV_VDPA_STOPPED, f->dev, 0, 0);
	emit(f->w, EV_VDPA_STOPPED, f->dev, 0, 1);
}
static void
vdpa_net_goes(struct fake *f)
{
	emit(f->w, EV_VDPA_NET_GO, f->dev, 1);
	emit(f->w, EV_VDPA_NET_GO, f->dev, 0);
}
static void
svq_allocates(struct fake *f)
{
	emit(f->w, EV_SVQ_ALLOC, f->dev, 0, 4096, 4096);
	emit(f->w, EV_SVQ_ALLOC, f->dev, 0, 4097, 4096);
}
static void
postcopy_mixed(struct fake *f)
{
	emit(f->w, EV_POSTCOPY_PLACE, 0xca, 2, 0, 0, 0);
	emit(f->w, EV_POSTCOPY_MIXED, 0xcb, 1, 3, 0xc8);
}
static void
snapshot_late(struct fake *f)
{
	emit(f->w, EV_SNAPSHOT_SAVE, 0xca, 1, 1, 0);
	emit(f->w, EV_SNAPSHOT_SAVE, 0xcb, 2, 1, 1);
}
static void
unplugged_read(struct fake *f)
{
	emit(f->w, EV_SNAPSHOT_SAVE, 0xca, 1, 1, 0);
	emit(f->w, EV_UNPLUGGED_READ, 0xcb, 4);
}
static void
snapshot_state(struct fake *f)
{
	emit(f->w, EV_SNAPSHOT_STATE, 100, 100, 0);
	emit(f->w, EV_SNAPSHOT_STATE, 100, 99, 0);
}
static void
colo_early(struct fake *f)
{
	emit(f->w, EV_COLO_RECEIVED, 1);
	emit(f->w, EV_COLO_RELEASE, 1, 7, 1, 0);
	emit(f->w, EV_COLO_PACKET, 1, 2, 8, 2);
	emit(f->w, EV_COLO_RELEASE, 2, 8, 2, 1);
	emit(f->w, EV_COLO_RELEASE, 3, 8, 2, 0);
}
static void
colo_false_alarm(struct fake *f)
{
	emit(f->w, EV_COLO_RECEIVED, 1);
	emit(f->w, EV_COLO_COMPARE_FALSE, 5, 1, 1);
	emit(f->w, EV_COLO_COMPARE_FALSE, 5, 2, 0);
}
static void
colo_old_packet(struct fake *f)
{
	emit(f->w, EV_COLO_PACKET_AGE, 0, 5, 4000, 4000);
	emit(f->w, EV_COLO_PACKET_AGE, 1, 6, 4001, 4000);
}
static void
colo_client(struct fake *f)
{
	emit(f->w, EV_COLO_COMPARE_FALSE, 5, 2, 2);
}
static void
colo_disk(struct fake *f)
{
	emit(f->w, EV_COLO_DISK_WRITE, 3, 1, 7);
	emit(f->w, EV_COLO_DISK_DIFFERS, 1, 7, 6, 1);
}
static void
migration_hasty_throttle(struct fake *f)
{
	emit(f->w, EV_MIG_SYNC, 1, 0, 0, 0);
	emit(f->w, EV_MIG_THROTTLE, 20, 2, 1);
	emit(f->w, EV_MIG_SYNC, 2, 0, 0, 0);
	emit(f->w, EV_MIG_THROTTLE, 30, 2, 1);
}
static void
colo_throttles(struct fake *f)
{
	emit(f->w, EV_COLO_RECEIVED, 1);
	emit(f->w, EV_MIG_SYNC, 1, 0, 0, 0);
	emit(f->w, EV_MIG_THROTTLE, 20, 2, 1);
}
static void
memslot_exit(struct fake *f)
{
	emit(f->w, EV_KVM_SET_MEMSLOT, 3, 0, 0xc0, 0x40, 0);
	emit(f->w, EV_MEMORY_BEGIN, 0);
	emit(f->w, EV_KVM_SET_MEMSLOT, 3, 0, 0xc0, 0, 0);
	emit(f->w, EV_KVM_WRITE_MMIO, 0, 0xca, -1);
	emit(f->w, EV_KVM_SET_MEMSLOT, 3, 1, 0xc0, 0x20, 0);
	emit(f->w, EV_MEMORY_COMMIT, 0, 0);
}
static void
request_twice(struct fake *f)
{
	int64_t name = world_name(f->w, "vda");

	emit(f->w, EV_MIG_REQUEST, name, 0, 0, 1);
	emit(f->w, EV_MIG_REQUEST, name, 1, 1, 1);
	emit(f->w, EV_MIG_REQUEST, name, 0, 1, 2);
}
static void
vmstate_wrong(struct fake *f)
{
	emit(f->w, EV_MIG_VMSTATE, world_name(f->w, "vda"), 2, 1, 0);
	emit(f->w, EV_MIG_VMSTATE_WRONG, world_name(f->w, "vda"), 1, 0);
}
static void
scenario(struct fake *f)
{
	oracle_report_as(f->w, VERDICT_STATE_LOST, "x", "gone");
}

#define CASE(id, fn) \
	{ \
		ORACLE_##id, #fn, fn \
	}
#define R(id) \
	{ \
		ORACLE_VIRTIO_##id, #id, r_##id \
	}
#define D(id) \
	{ \
		ORACLE_VIRTIO_##id, #id, d_##id \
	}

static const struct {
	enum oracle statement;
	const char *name;
	void (*body)(struct fake *f);
} cases[] = {
	R(2_1_1_R1),
	R(2_1_1_R2),
	R(2_1_1_R3),
	D(2_1_2_D1),
	D(2_1_2_D2),
	D(2_1_2_D3),
	D(2_1_2_D4),
	D(2_4_1_D1),
	D(2_4_1_D2),
	CASE(VIRTIO_2_4_1_D2, d_2_4_1_D2_config),
	D(2_4_1_D3),
	CASE(VIRTIO_2_4_1_D3, d_2_4_1_D3_net),
	R(2_4_2_R1),
	R(3_1_1_R1),
	CASE(VIRTIO_3_1_1_R1, r_3_1_1_R1_no_reset),
	CASE(VIRTIO_3_1_1_R1, r_3_1_1_R1_features),
	CASE(VIRTIO_3_1_1_R1, r_3_1_1_R1_queue),
	R(3_1_1_R2),
	R(3_1_1_R3),
	R(3_1_1_R4),
	CASE(VIRTIO_3_1_1_R4, r_3_1_1_R4_queue),
	R(3_1_1_R5),
	CASE(VIRTIO_3_1_1_R6, refused),
	R(3_1_1_R7),
	R(3_3_1_R1),
	R(3_3_1_R2),
	R(2_2_1_R1),
	R(2_2_1_R2),
	R(2_2_1_R3),
	D(2_2_2_D1),
	D(2_2_2_D2),
	D(2_2_2_D4),
	R(5_1_3_1_R1),
	R(6_1_R1),
	R(6_1_R2),
	D(6_2_D1),
	D(6_2_D2),
	D(6_2_D3),
	D(2_6_1_1_1_D1),
	D(2_6_1_1_1_D2),
	D(2_6_1_1_1_D3),
	CASE(VIRTIO_2_6_1_1_1_D3, d_2_6_1_1_1_D3_used),
	R(2_6_1_1_2_R1),
	R(2_6_1_1_2_R2),
	D(2_6_1_2_1_D1),
	CASE(VIRTIO_2_6_1_2_1_D1, d_2_6_1_2_1_D1_vector),
	CASE(VIRTIO_2_6_1_2_1_D1, d_2_6_1_2_1_D1_used),
	R(2_6_1_2_2_R1),
	D(4_1_4_3_1_D10),
	D(4_1_4_3_1_D11),
	D(4_1_4_3_1_D12),
	CASE(VIRTIO_4_1_4_3_1_D12, d_4_1_4_3_1_D12_late),
	CASE(VIRTIO_4_1_4_3_1_D12, d_4_1_4_3_1_D12_enable),
	R(4_1_4_3_2_R7),
	R(2_7_1_R1),
	R(2_7_4_2_R1),
	D(2_7_5_1_D1),
	D(2_7_5_1_D3),
	R(2_7_5_2_R1),
	CASE(VIRTIO_2_7_5_2_R1, r_2_7_5_2_R1_bytes),
	R(2_7_5_2_R2),
	R(2_7_5_R3),
	R(2_7_5_3_1_R1),
	R(2_7_5_3_1_R2),
	R(2_7_5_3_1_R3),
	R(2_7_5_3_1_R4),
	R(2_7_5_3_1_R5),
	D(2_7_5_3_2_D1),
	D(2_7_5_3_2_D2),
	R(2_7_6_1_R1),
	R(2_7_6_1_X2),
	D(2_7_8_X3),
	CASE(VIRTIO_2_7_8_X3, d_2_7_8_X3_range),
	D(2_7_8_X4),
	D(2_7_8_2_D1),
	R(2_7_13_3_1_R1),
	CASE(VIRTIO_2_7_13_3_1_R1, r_2_7_13_3_1_R1_descriptor),
	D(2_7_8_2_D2),
	D(2_7_9_D1),
	CASE(INV_CONS, inv_cons),
	CASE(INV_CONS, inv_cons_fill),
	CASE(INV_CONS, inv_cons_head),
	CASE(INV_OWN, inv_own),
	CASE(INV_OWN, inv_own_changed),
	CASE(INV_EPOCH, inv_epoch),
	R(2_7_7_1_R1),
	R(2_7_7_1_R2),
	D(2_7_7_2_D3),
	D(2_7_7_2_D6),
	R(2_7_10_1_R1),
	R(2_7_10_1_R3),
	R(2_7_10_1_R7),
	D(2_7_10_2_D1),
	D(2_7_10_2_D2),
	R(2_9_R1),
	R(2_9_R2),
	R(4_1_5_2_1_R1),
	R(4_1_5_2_1_R2),
	CASE(VIRTIO_4_1_5_2_1_R2, r_4_1_5_2_1_R2_bad),
	D(4_1_4_4_1_D1),
	D(4_1_4_4_1_D2),
	D(4_1_4_3_1_D1),
	D(4_1_4_3_1_D2),
	D(4_1_4_3_1_D3),
	D(4_1_4_3_1_D4),
	D(4_1_4_3_1_D5),
	CASE(VIRTIO_4_1_4_3_1_D5, d_4_1_4_3_1_D5_absent),
	R(4_1_4_3_2_R1),
	R(4_1_4_3_2_R2),
	R(4_1_4_3_2_R3),
	CASE(VIRTIO_4_1_4_3_2_R3, r_4_1_4_3_2_R3_late),
	R(4_1_4_3_2_R4),
	R(4_1_4_3_2_R5),
	D(4_1_4_5_1_D1),
	CASE(VIRTIO_4_1_4_5_1_D1, d_4_1_4_5_1_D1_line),
	D(4_1_4_5_1_D2),
	D(4_1_4_5_1_D3),
	D(4_1_4_5_1_D4),
	R(4_1_4_5_2_R1),
	D(4_1_5_1_2_1_D1),
	D(4_1_5_1_2_1_D2),
	D(4_1_5_1_2_1_D3),
	R(4_1_5_1_2_2_R1),
	R(4_1_5_1_2_2_R2),
	CASE(VIRTIO_4_1_5_1_2_2_R2, r_4_1_5_1_2_2_R2_config),
	D(4_1_5_3_1_D1),
	D(4_1_5_4_1_D1),
	CASE(PCI_PBA_X1, pci_pba),
	CASE(HANG, hang),
	CASE(DIRTY_PAGE_LOST, dirty_page_lost),
	CASE(C_O1, migration_clear_after_read),
	CASE(C_O2, migration_stale),
	CASE(C_O4, migration_not_noted),
	CASE(C_O5, migration_differs),
	CASE(C_O6, migration_device_not_noted),
	CASE(C_O7, migration_slow_stop),
	CASE(C_O9, migration_hasty_throttle),
	CASE(C_O9, colo_throttles),
	CASE(INV_REQUEST_ONCE, request_twice),
	CASE(INV_VMSTATE, vmstate_wrong),
	CASE(INV_IOTLB, vdpa_faults),
	CASE(INV_UNMAPPED, vdpa_leaks),
	CASE(INV_CTRL_STATE, vdpa_net_goes),
	CASE(INV_ALLOC_BOUND, svq_allocates),
	CASE(INV_SNAPSHOT, snapshot_late),
	CASE(INV_SNAPSHOT_STATE, snapshot_state),
	CASE(INV_UNPLUGGED, unplugged_read),
	CASE(C_O3, colo_early),
	CASE(C_O10, memslot_exit),
	CASE(INV_COLO_COMPARE, colo_false_alarm),
	CASE(INV_COLO_AGE, colo_old_packet),
	CASE(INV_COLO_CLIENT, colo_client),
	CASE(INV_COLO_DISK, colo_disk),
	CASE(C_O11, postcopy_refused),
	CASE(INV_POSTCOPY_ONCE, postcopy_twice),
	CASE(INV_POSTCOPY_WHOLE, postcopy_mixed),
	CASE(SCENARIO, scenario),
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

/* Tripped by their own test below (the raw pair's), in test_race.c; the balloon's in
 * test_virtio_balloon.c. */
static const enum oracle elsewhere[] = {
	ORACLE_LOST_KICK,	    ORACLE_LOST_INTERRUPT,	ORACLE_LIVELOCK,
	ORACLE_VIRTIO_2_7_10_1_R4,  ORACLE_VIRTIO_2_7_10_1_R6,	ORACLE_VIRTIO_2_7_7_2_D2,
	ORACLE_VIRTIO_2_7_7_2_D5,   ORACLE_DATA_RACE,		ORACLE_VIRTIO_5_5_6_1_R3,
	ORACLE_VIRTIO_5_5_6_5_2_D3, ORACLE_VIRTIO_5_5_6_7_2_D1, ORACLE_C_O8,
};

/* The offence is what the run shows, and the only thing. */
static void
test_trips(void **state)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < CASES; i++) {
		const struct oracle_info *info = &oracle_info[cases[i].statement];
		struct finding finding;
		struct world *w = fake_run(cases[i].body, &finding);
		uint64_t count;
		const struct violation *v = oracle_violations(w, &count);

		if (count != 1 || v->statement != cases[i].statement ||
		    (info->level == ORACLE_MUST) != (finding.verdict != VERDICT_OK)) {
			wrong++;
			print_error("%s: %u violations, verdict %s\n", cases[i].name,
				    (unsigned)count, verdict_name[finding.verdict]);
		}
		for (; v && wrong; v = v->next)
			print_error("    %s %s: %s\n", oracle_info[v->oracle].name, v->subject,
				    v->message);
		world_destroy(w);
	}
	assert_int_equal(wrong, 0);
}

/* An oracle without a test that trips it is a promise. */
static void
test_all_tripped(void **state)
{
	bool tripped[ORACLE_COUNT] = { false };
	unsigned missing = 0;

	for (unsigned i = 0; i < CASES; i++)
		tripped[cases[i].statement] = true;
	for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		tripped[elsewhere[i]] = true;
	for (int i = 0; i < ORACLE_COUNT; i++) {
		if (!strncmp(oracle_info[i].name, "VIRTIO-3.4", 10) ||
		    !strncmp(oracle_info[i].name, "VIRTIO-2.12", 11))
			continue; /* test_oracle_suspend.c looks at those */
		if (tripped[i] == !oracle_info[i].unchecked)
			continue;
		print_error("%s: %s\n", oracle_info[i].name,
			    tripped[i] ? "is tripped and is said not to be checked"
				       : "is not tripped");
		missing++;
	}
	assert_int_equal(missing, 0);
}

/* --- everything that is legal --------------------------------------------------------------- */

static void
pass(struct fake *f, int n, uint16_t head)
{
	uint16_t before = f->q[n].avail;

	add(f, n, head);
	kick_prepared(f, n, true, (uint32_t)(before + 1) << 16 | (uint32_t)n);
	emit(f->w, EV_VQ_NOTIFY, f->q[n].name, (int64_t)((uint64_t)(before + 1) << 16) | n, 4);
	pop(f, n, head);
	emit(f->w, EV_VIRTQUEUE_UNPOP, f->dev, n, head);
	pop(f, n, head);
	push(f, n, head, 64);
	should_notify(f, n, true);
	notify(f, n);
	raise(f, n, n + 1);
	isr_set(f, 1);
	message(f, n + 1);
	got(f, n);
	avail_event(f, n, f->q[n].avail);
	used_event(f, n, f->q[n].used);
}

static void
indirect_chain(struct fake *f)
{
	desc(f, 0, 6, 64, NEXT, 7);
	entry(f, 0, NEXT, 1);
	entry(f, 1, WRITE, 0);
	refer(f, 7, 2, WRITE);
	expose(f, 6);
	pop_as(f, 0, 6, 2, 1);
	push(f, 0, 6, 64);
}

static void
legal(struct fake *f)
{
	f->offered = FAKE_FEATURES;
	up(f, IDX | IND | DATA);
	msix(f, 1);
	for (unsigned i = 0; i < 3 * FAKE_SIZE; i++)
		pass(f, (int)(i % FAKE_QUEUES), (uint16_t)(i % 3 * 2));
	indirect_chain(f);
	add(f, 0, 0);
	pop(f, 0, 0);
	queue_again(f, 0);
	pass(f, 0, 2);
	rd(f, "config_generation", 0, 9);
	emit(f->w, EV_VIRTIO_CONFIG_READ, f->dev, 0, 4, 9);
	emit(f->w, EV_VIRTIO_CONFIG_STEP, f->dev, 0, 4, 10);
	notify_config(f);
	raise(f, -1, 0);
	isr_set(f, 2);
	message(f, 0);
	emit(f->w, EV_VIRTIO_CONFIG_READ, f->dev, 0, 4, 10);
	rd(f, "config_generation", 0, 10);
	emit(f->w, EV_VIRTIO_CONFIG_WRITE, f->dev, 0, 1, ALL_OK);
	emit(f->w, EV_MSIX_MASK, f->dev, 1, 1);
	emit(f->w, EV_MSIX_PENDING, f->dev, 1, 1);
	emit(f->w, EV_MSIX_MASK, f->dev, 1, 0);
	emit(f->w, EV_MSIX_PENDING, f->dev, 1, 0);
	emit(f->w, EV_MSIX_REPLAY, f->dev, 1);
	error(f);
	notify_config(f);
	isr_set(f, 2);
	reset(f);
	emit(f->w, EV_VQ_DESTROY, f->q[0].name);
	emit(f->w, EV_VQ_DESTROY, f->q[1].name);
	/* Another driver: in order, in batches, with the line. */
	msix(f, 0);
	up(f, INORD);
	isr_read(f, 3);
	for (uint16_t head = 0; head < 6; head += 2) {
		add(f, 0, head);
		pop(f, 0, head);
		emit(f->w, EV_VIRTQUEUE_FILL, f->dev, 0, head, 64);
	}
	put_used(f, 0, 4, 64);
	flush(f, 0, 3);
	notify(f, 0);
	raise(f, 0, -1);
	isr_set(f, 1);
	line(f, 1);
	isr_read(f, 1);
	line(f, 0);
	reset(f);
}

static void
test_silent(void **state)
{
	assert_silent(legal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trips),
		cmocka_unit_test(test_all_tripped),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
