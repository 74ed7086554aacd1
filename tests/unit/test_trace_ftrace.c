/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The importer of kvm:* events in the shapes of ftrace, trace-cmd report and perf script. */
#include "trace_import.h"

#define RECORDING "traces/kvm-firmware.ftrace.txt"

/* Lines as kernels and tools of twelve years have printed them. */
static const char sample[] =
	"qemu-system-x86-18971   [015] d.... 95922.997133: kvm_entry: vcpu 0, rip 0xf7d6b\n"
	"       CPU 0/KVM-7289    [023] d....  2925.640961: kvm_entry: vcpu 0\n"
	"  CPU 36/KVM-2063    [097] ..... 1466862.728742: kvm_set_irq: gsi 4 level 0 source 0\n"
	"notdxvm-533084  [088] ..... 14915.616719: kvm_mmio: mmio write len 4 gpa 0xc0004014 val "
	"0x7\n"
	"<...>-3441924 [004] .... 1907374.582979: kvm_apic_accept_irq: apicid 1f vec 209 "
	"(Fixed|edge)\n"
	"kvm-5664  [000] 11906.220181: kvm_exit: reason apic_access rip 0xc011518c\n"
	"qemu-system-x86 17414 [000] 6868.995053: kvm:kvm_exit: reason EPT_VIOLATION rip 0xfff0 "
	"info 184 0\n"
	"kworker/5:2-eve 429543 [005] 108229.924107:         kvm:kvm_set_irq: gsi 4 level 1 "
	"source 0\n"
	"CPU 0/KVM-9   (   7) [001] d..1. 1.000000001: kvm_pio: pio_write at 0x3f8 size 1 count 1 "
	"val 0xd \n"
	"vm-9 [001] 1.5: kvm_userspace_exit: reason KVM_EXIT_MMIO (6)\n"
	"vm-9 [001] 1.5: kvm_msi_set_irq: dst 1000000a vec 3c (Fixed|physical|edge)\n"
	"vm-9 [001] 1.5: kvm_inj_virq: IRQ 0xb0\n"
	"vm-9 [001] 1.5: kvm_dirty_ring_push: ring 0: dirty 0x1a reset 0x2 slot 3 offset 0xff "
	"(used 24)\n"
	"virtio:           nginx: a-9 [001] 1.5: kvm_fast_mmio: fast mmio at gpa 0xfe003000\n"
	"vm-9 [001] 1.5: kvm_exit: vcpu 2 reason HLT rip 0x1 info1 0x0 intr_info 0x0\n";

static const char *const want[] = {
	"95922.997133000 qemu-system-x86-18971 kvm_entry vcpu=0 rip=0xf7d6b",
	"2925.640961000 CPU 0/KVM-7289 kvm_entry vcpu=0 rip=0xffffffffffffffff",
	"1466862.728742000 CPU 36/KVM-2063 kvm_set_irq gsi=4 level=0 source=0",
	"14915.616719000 notdxvm-533084 kvm_mmio op=write len=4 gpa=0xc0004014 val=0x7",
	"1907374.582979000 <...>-3441924 kvm_apic_accept_irq apicid=0x1f vec=209",
	"11906.220181000 kvm-5664 kvm_exit reason=apic_access vcpu=-1 rip=0xc011518c",
	"6868.995053000 qemu-system-x86-17414 kvm_exit reason=EPT_VIOLATION vcpu=-1 rip=0xfff0",
	"108229.924107000 kworker/5:2-eve-429543 kvm_set_irq gsi=4 level=1 source=0",
	"1.000000001 CPU 0/KVM-9 kvm_pio op=write port=0x3f8 size=1 count=1 val=0xd",
	"1.500000000 vm-9 kvm_userspace_exit reason=KVM_EXIT_MMIO code=6",
	"1.500000000 vm-9 kvm_msi_set_irq dst=268435466 vec=60",
	"1.500000000 vm-9 kvm_inj_virq vec=176",
	"1.500000000 vm-9 kvm_dirty_ring_push ring=0 dirty=0x1a reset=0x2 slot=3 offset=0xff "
	"used=24",
	"1.500000000 nginx: a-9 kvm_fast_mmio gpa=0xfe003000",
	"1.500000000 vm-9 kvm_exit reason=HLT vcpu=2 rip=0x1",
};

static void
shapes(void **state)
{
	struct recording r;

	import_good(NULL, sample, &r);
	assert_string_equal(r.format, "ftrace");
	assert_int_equal(r.count, sizeof(want) / sizeof(want[0]));
	assert_int_equal(r.lines_skipped, 0);
	for (size_t i = 0; i < r.count; i++)
		record_is(&r, i, want[i]);
	recording_free(&r);
}

static void
other_lines(void **state)
{
	struct recording r;

	import_good("ftrace",
		    "# tracer: nop\n"
		    "##### CPU 1 buffer started ####\n"
		    "vm-9 [001] ...1. 1.5: <stack trace>\n"
		    " => trace_event_raw_event_kvm_mmio\n"
		    "CPU:2 [LOST 17 EVENTS]\n"
		    "CPU:3 [LOST 5 EVENTS]\n"
		    "CPU:3 [LOST EVENTS]\n"
		    "CPU:1 [100 EVENTS DROPPED]\n"
		    "CPU:1 [EVENTS DROPPED]\n"
		    "CPU:1 [SUBBUFFER START]\n"
		    "vm-9 [001] ..... 1.5: sched_switch: prev_comm=vm\n"
		    "      CPU 0: kvm_entry: vcpu 0, rip 0xffffffff81000aa0\n"
		    "\n"
		    "vm-9 [001] ..... 1.5: kvm_fast_mmio: fast mmio at gpa 0xfe003000\n",
		    &r);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.lines_skipped, 13);
	assert_int_equal(r.events_lost, 122);
	assert_int_equal(r.gaps, 2);
	record_is(&r, 0, "1.500000000 vm-9 kvm_fast_mmio gpa=0xfe003000");
	recording_free(&r);
}

static void
damaged_lines(void **state)
{
	import_refused("ftrace", "vm-9 [001] 1.5: kvm_set_irq: gsi 4\n", "log:1:35: damaged line");
	import_refused("ftrace", "\nvm-9 [001] 1.5: kvm_set_irq: gsi x4 level 1\n", "log:2:34: ");
	import_refused("ftrace", "vm-9 [001] 1.5: kvm_mmio: mmio write len 4 gpa 0x val 0x0\n",
		       "log:1:");
	import_refused("ftrace", "vm-9 [001] 1.5: kvm_eoi: apicid 0 vector\n", "all its arguments");
	cut_anywhere("ftrace", sample);
	assert_true(bytes_changed("ftrace", sample, sizeof(sample) - 1, 3000) > 200);
}

static void
recording(void **state)
{
	struct recording r = { 0 };
	struct error err;

	assert_int_equal(trace_open(RECORDING, NULL, &r, &err), 0);
	assert_int_equal(r.lines, 4300);
	assert_int_equal(r.count, 4288);
	assert_int_equal(recording_count(&r, RECORD_KVM_PIO), 1624);
	assert_int_equal(recording_count(&r, RECORD_KVM_EOI), 102);
	assert_int_equal(r.threads, 3);
	recording_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(other_lines),
		cmocka_unit_test(damaged_lines),
		cmocka_unit_test(recording),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
