/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The statements of 3.4 and 2.12.1.4: the offence that trips each, and nothing else; what is legal.
 */
#include "test_oracle_rig.h"

#include "virtio/admin.h"

#define S VIRTIO_CONFIG_S_SUSPEND
#define CAN VIRTIO_BIT(VIRTIO_F_SUSPEND)

static void
off(struct fake *f, enum oracle o)
{
	oracle_enable(f->w, o, false);
}

/* The driver writes status; the device has not answered yet. */
static void
ask(struct fake *f, uint8_t value)
{
	wr(f, "device_status", 0, value);
}

/* The device's status becomes @value, and the driver reads it. */
static void
present(struct fake *f, uint8_t value)
{
	emit(f->w, EV_VIRTIO_SET_STATUS, f->dev, value, f->status);
	f->status = value;
}

static void
look(struct fake *f)
{
	rd(f, "device_status", 0, f->status);
}

static void
suspended(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	look(f);
}

static void
resume(struct fake *f)
{
	ask(f, ALL_OK | S);
	present(f, ALL_OK);
	look(f);
}

static void
kick(struct fake *f, int n)
{
	emit(f->w, EV_VQ_NOTIFY, f->q[n].name, n, 2);
}

static void
step(struct fake *f)
{
	emit(f->w, EV_VIRTIO_CONFIG_STEP, f->dev, 0, 4, 1);
}

static void
told(struct fake *f)
{
	emit(f->w, EV_VIRTIO_NOTIFY_CONFIG, f->dev, 0, 1);
}

/* --- the driver ----------------------------------------------------------------------------- */

static void
r1_early(struct fake *f)
{
	begin(f, CAN);
	ask(f, ACK | DRV | FOK | S);
}
static void
r1_feature(struct fake *f)
{
	up(f, 0);
	ask(f, ALL_OK | S);
}
static void
r2_no_look(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	resume(f);
}
static void
r2_too_soon(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
	look(f); /* as it was */
	ask(f, ALL_OK);
}
static void
r3(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
	add(f, 0, 0);
}
static void
r4(struct fake *f)
{
	suspended(f);
	kick(f, 0);
}
static void
r5(struct fake *f)
{
	suspended(f);
	emit(f->w, EV_VIRTIO_CONFIG_WRITE, f->dev, 0, 1, f->status);
}
static void
r6(struct fake *f)
{
	suspended(f);
	ask(f, ALL_OK | S);
	present(f, ALL_OK);
	add(f, 0, 0);
}

/* --- the device ----------------------------------------------------------------------------- */

static void
d1(struct fake *f)
{
	begin(f, CAN);
	off(f, ORACLE_VIRTIO_3_4_1_R1);
	ask(f, ACK | DRV | FOK | S);
	present(f, ACK | DRV | FOK | S);
}
static void
d2(struct fake *f)
{
	suspended(f);
	off(f, ORACLE_VIRTIO_3_4_1_R5);
	emit(f->w, EV_VIRTIO_CONFIG_WRITE, f->dev, 0, 1, f->status);
	f->vdev.config[0] ^= 1;
	resume(f);
}
static void
d3(struct fake *f)
{
	suspended(f);
	notify(f, 0);
}
static void
d4_pop(struct fake *f)
{
	up(f, CAN);
	add(f, 0, 0);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	look(f);
	pop(f, 0, 0);
}
static void
d4_2024(struct fake *f)
{
	up(f, CAN);
	add(f, 0, 0);
	ask(f, ALL_OK | S);
	present(f, ALL_OK | S); /* DRIVER_OK stays */
	pop(f, 0, 0);
}
static void
d5(struct fake *f)
{
	suspended(f);
	step(f);
}
static void
d6_then(struct fake *f)
{
	suspended(f);
	told(f);
}
static void
d6_never(struct fake *f)
{
	suspended(f);
	emit(f->w, EV_VIRTIO_SUSPEND_CONFIG, f->dev, 0, 4, 0);
	resume(f);
	step(f);
}
static void
d7(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
}
static void
d7_driver_ok(struct fake *f)
{
	up(f, CAN);
	ask(f, ALL_OK | S);
	present(f, ALL_OK | S);
}
static void
d8(struct fake *f)
{
	suspended(f);
	ask(f, ALL_OK | S);
}
static void
d9_processing(struct fake *f)
{
	up(f, CAN);
	add(f, 0, 0);
	pop(f, 0, 0);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
}
static void
d9_owed(struct fake *f)
{
	up(f, CAN);
	add(f, 0, 0);
	pop(f, 0, 0);
	ask(f, ALL_OK | S);
	push(f, 0, 0, 64);
	should_notify(f, 0, true);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
}
static void
x4(struct fake *f)
{
	up(f, CAN);
	off(f, ORACLE_VIRTIO_3_4_2_D9);
	add(f, 0, 0);
	pop(f, 0, 0);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 0, 0, 0);
}

/* --- administration commands ---------------------------------------------------------------- */

static void
admin(struct fake *f, unsigned opcode, unsigned flags, unsigned result)
{
	emit(f->w, EV_VIRTIO_ADMIN_CMD, f->dev, opcode, flags);
	emit(f->w, EV_VIRTIO_ADMIN_DONE, f->dev, opcode, flags, result, 0);
}
static void
mode(struct fake *f, bool stop)
{
	admin(f, VIRTIO_ADMIN_CMD_DEV_MODE_SET, stop, 0);
}
static void
a_d4(struct fake *f)
{
	up(f, 0);
	off(f, ORACLE_VIRTIO_2_12_1_4_4_2_R1);
	admin(f, VIRTIO_ADMIN_CMD_DEV_PARTS_SET, 0, 0);
}
static void
a_r1(struct fake *f)
{
	up(f, 0);
	mode(f, true);
	mode(f, false);
	admin(f, VIRTIO_ADMIN_CMD_DEV_PARTS_SET, 0, VIRTIO_ADMIN_STATUS_EINVAL);
}
static void
a_d7(struct fake *f)
{
	up(f, 0);
	off(f, ORACLE_VIRTIO_2_12_1_4_4_1_D8);
	add(f, 0, 0);
	pop(f, 0, 0);
	mode(f, true);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 0, 0, 0);
}
static void
a_d8(struct fake *f)
{
	up(f, 0);
	add(f, 0, 0);
	pop(f, 0, 0);
	mode(f, true);
}
static void
a_d10_queue(struct fake *f)
{
	up(f, 0);
	mode(f, true);
	add(f, 0, 0);
	pop(f, 0, 0);
}
static void
a_d10_config(struct fake *f)
{
	up(f, 0);
	mode(f, true);
	told(f);
}
static void
a_d10_reset(struct fake *f)
{
	up(f, 0);
	mode(f, true);
	reset(f);
	up(f, 0);
	notify(f, 0);
}
static void
a_d11(struct fake *f)
{
	up(f, 0);
	ask(f, 0);
	emit(f->w, EV_VIRTIO_RESET, f->dev, f->status);
	mode(f, true);
}
static void
a_d12_stop(struct fake *f)
{
	up(f, 0);
	mode(f, true);
	admin(f, VIRTIO_ADMIN_CMD_DEV_MODE_SET, 1, VIRTIO_ADMIN_STATUS_EINVAL);
}
static void
a_d12_resume(struct fake *f)
{
	up(f, 0);
	admin(f, VIRTIO_ADMIN_CMD_DEV_MODE_SET, 0, VIRTIO_ADMIN_STATUS_EINVAL);
}

#define ADMIN(id, fn) \
	{ \
		ORACLE_VIRTIO_2_12_1_4_4_##id, fn, #fn \
	}
#define CASE(id, fn) \
	{ \
		ORACLE_VIRTIO_3_4_##id, fn, #fn \
	}
static const struct {
	enum oracle statement;
	void (*body)(struct fake *f);
	const char *name;
} cases[] = {
	CASE(1_R1, r1_early),
	CASE(1_R1, r1_feature),
	CASE(1_R2, r2_no_look),
	CASE(1_R2, r2_too_soon),
	CASE(1_R3, r3),
	CASE(1_R4, r4),
	CASE(1_R5, r5),
	CASE(1_R6, r6),
	CASE(2_D1, d1),
	CASE(2_D2, d2),
	CASE(2_D3, d3),
	CASE(2_D4, d4_pop),
	CASE(2_D4, d4_2024),
	CASE(2_D5, d5),
	CASE(2_D6, d6_then),
	CASE(2_D6, d6_never),
	CASE(2_D7, d7),
	CASE(2_D7, d7_driver_ok),
	CASE(2_D8, d8),
	CASE(2_D9, d9_processing),
	CASE(2_D9, d9_owed),
	CASE(X4, x4),
	ADMIN(1_D4, a_d4),
	ADMIN(2_R1, a_r1),
	ADMIN(1_D7, a_d7),
	ADMIN(1_D8, a_d8),
	ADMIN(1_D10, a_d10_queue),
	ADMIN(1_D10, a_d10_config),
	ADMIN(1_D10, a_d10_reset),
	ADMIN(1_D11, a_d11),
	ADMIN(1_D12, a_d12_stop),
	ADMIN(1_D12, a_d12_resume),
};

static void
trips(void **state)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
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
			for (; v; v = v->next)
				print_error("    %s %s: %s\n", oracle_info[v->oracle].name,
					    v->subject, v->message);
		}
		world_destroy(w);
	}
	assert_int_equal(wrong, 0);
}

/* Each statement of the two that is checked is among them, and no other. */
static void
all_tripped(void **state)
{
	for (int o = 0; o < ORACLE_COUNT; o++) {
		bool tripped = false;

		if (strncmp(oracle_info[o].name, "VIRTIO-3.4", 10) != 0 &&
		    strncmp(oracle_info[o].name, "VIRTIO-2.12", 11) != 0)
			continue;
		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			tripped |= (int)cases[i].statement == o;
		if (tripped == (oracle_info[o].unchecked != NULL))
			fail_msg("%s is %stripped", oracle_info[o].name, tripped ? "" : "not ");
	}
}

/* --- what is legal -------------------------------------------------------------------------- */

static void
request(struct fake *f)
{
	add(f, 0, 0);
	kick(f, 0);
	pop(f, 0, 0);
	emit(f->w, EV_VIRTIO_BLK_COMPLETE, f->dev, 0, 0, 0, 0);
	push(f, 0, 0, 64);
	should_notify(f, 0, true);
	notify(f, 0);
	got(f, 0);
}

static void
legal(struct fake *f)
{
	up(f, CAN);
	request(f);
	/* Finished and told after SUSPEND was written, before it is presented. */
	add(f, 0, 0);
	kick(f, 0);
	pop(f, 0, 0);
	ask(f, ALL_OK | S);
	look(f);
	step(f);
	told(f);
	push(f, 0, 0, 64);
	should_notify(f, 0, true);
	notify(f, 0);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	look(f);
	got(f, 0);
	/* A change that is kept, made and told on resume. */
	emit(f->w, EV_VIRTIO_SUSPEND_CONFIG, f->dev, 0, 4, 1);
	resume(f);
	step(f);
	told(f);
	request(f);
	/* One that fails: nothing more is owed. */
	ask(f, ALL_OK | S);
	emit(f->w, EV_VIRTIO_ERROR, f->dev, 0, ALL_OK | 64);
	told(f);
	present(f, ALL_OK | 64);
	look(f);
	/* Reset while suspended ends all of it. */
	reset(f);
	up(f, CAN);
	ask(f, ALL_OK | S);
	present(f, (ALL_OK | S) & (uint8_t)~DOK);
	emit(f->w, EV_VIRTIO_SUSPEND_CONFIG, f->dev, 0, 4, 1);
	reset(f);
	up(f, 0);
	request(f);
	/* Stopped by the owner: doorbells, parts, a reset; going on again. */
	mode(f, true);
	mode(f, true);
	add(f, 0, 0);
	kick(f, 0);
	admin(f, VIRTIO_ADMIN_CMD_DEV_PARTS_GET, 0, 0);
	admin(f, VIRTIO_ADMIN_CMD_DEV_PARTS_SET, 0, 0);
	reset(f);
	up(f, 0);
	emit(f->w, EV_VIRTIO_ADMIN_CMD, f->dev, VIRTIO_ADMIN_CMD_DEV_MODE_SET, 0);
	request(f); /* while the command is on its way */
	emit(f->w, EV_VIRTIO_ADMIN_DONE, f->dev, VIRTIO_ADMIN_CMD_DEV_MODE_SET, 0, 0, 0);
	mode(f, false);
	request(f);
}

static void
silent(void **state)
{
	assert_silent(legal);
}

/* --- counted only --------------------------------------------------------------------------- */

static void
counted(struct fake *f)
{
	oracle_count(f->w, ORACLE_VIRTIO_3_4_2_D3);
	oracle_count(f->w, ORACLE_VIRTIO_3_4_2_D5);
	suspended(f);
	notify(f, 0);
	notify(f, 0);
	step(f);
	off(f, ORACLE_VIRTIO_3_4_2_D6);
	resume(f);
	request(f);
}

static void
counting(void **state)
{
	struct finding finding;
	struct world *w = fake_run(counted, &finding);
	uint64_t count;

	(void)oracle_violations(w, &count);
	assert_int_equal(count, 0);
	assert_int_equal(finding.verdict, VERDICT_OK);
	assert_int_equal(oracle_counted(w, ORACLE_VIRTIO_3_4_2_D3), 2);
	assert_int_equal(oracle_counted(w, ORACLE_VIRTIO_3_4_2_D5), 1);
	assert_int_equal(oracle_counted(w, ORACLE_VIRTIO_3_4_2_D4), 0);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trips),
		cmocka_unit_test(all_tripped),
		cmocka_unit_test(silent),
		cmocka_unit_test(counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
