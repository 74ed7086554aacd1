/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The importer of trace.dat: what the file of a recording yields is what its text does.  The files
 * are made by tests/cli/make-trace-dat.lua; that trace-cmd reads them so, too, is for
 * tests/cli/test-trace-dat.sh.
 */
#include "trace_import.h"

#include <inttypes.h>
#include <unistd.h>

#include "trace/tracedat.h"

#define RECORDING "traces/kvm-firmware.ftrace.txt"

/* Each event of kvm_events.def, an event of another kind, a thread without a name, ms without. */
static const char sample[] =
	"  qemu-system-x86-971 [001] d.... 95.997133: kvm_entry: vcpu 0, rip 0xf7d6b\n"
	"  CPU 1/KVM-7289 [000] d.... 95.997134: kvm_exit: vcpu 1 reason EPT_VIOLATION rip 0xfff0 "
	"info1 0x0000000000000184 info2 0x0000000000000000 intr_info 0x00000000 error_code "
	"0x00000000\n"
	"  CPU 1/KVM-7289 [000] d.... 96.140961: kvm_page_fault: vcpu 1 rip 0xfff0 address "
	"0x00000000000ffff0 error_code 0x184\n"
	"  <...>-3441924 [001] ..... 96.728742: kvm_set_irq: gsi 4 level 0 source 0\n"
	"  kworker/5:2-429543 [001] ..... 96.728742: kvm_apic_accept_irq: apicid 1f vec 209 "
	"(Fixed|edge)\n"
	"  kworker/5:2-429543 [001] ..... 96.728743: kvm_msi_set_irq: dst 1000000a vec 60 "
	"(Fixed|physical|edge)\n"
	"  kworker/5:2-429543 [001] ..... 96.728744: kvm_ioapic_set_irq: pin 4 dst ff vec 48 "
	"(LowPrio|logical|level|masked) (coalesced)\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616719: kvm_cpuid: func 1 rax 10\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616719: kvm_mmio: mmio write len 4 gpa 0xc0004014 val "
	"0x7\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616719: kvm_fast_mmio: fast mmio at gpa 0xfe003000\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616720: kvm_pio: pio_read at 0x3f8 size 1 count 2 val 0xd "
	"(...)\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616721: kvm_userspace_exit: reason KVM_EXIT_MMIO (6)\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616722: kvm_userspace_exit: reason restart (4)\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616722: kvm_userspace_exit: reason error (14)\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616723: kvm_inj_virq: IRQ 0xb0\n"
	"  CPU 1/KVM-7289 [000] ..... 99.616724: kvm_eoi: apicid 1 vector 176\n"
	"  vm thread-9 [001] ..... 99.616725: kvm_dirty_ring_push: ring 0: dirty 0x1a reset 0x2 "
	"slot 3 offset 0xff (used 24)\n"
	"  vm thread-9 [001] ..... 99.616725: kvm_dirty_ring_reset: ring 0: dirty 0x1a reset 0x1a "
	"(used 0)\n";

struct file {
	char *data;
	size_t size;
};

static char folder[] = "/tmp/test-trace-dat-XXXXXX";

static const char *
in_folder(const char *name)
{
	static char path[2][64];
	static unsigned next;

	next ^= 1;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static struct file
read_back(const char *name)
{
	struct error err;
	struct file f;

	f.data = trace_read_file(in_folder(name), &f.size, &err);
	if (!f.data)
		fail_msg("%s", err.text);
	return f;
}

/* The file of a text's events, and, if wanted, the text with the times that the file has. */
static struct file
make(const char *text_path, const char *options, struct file *text)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "lua5.4 tests/cli/make-trace-dat.lua %s %s/dat text=%s/text %s", text_path, folder,
		 folder, options);
	assert_int_equal(system(command), 0);
	if (text)
		*text = read_back("text");
	return read_back("dat");
}

static const char *
sample_path(void)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s", in_folder("sample"));
	f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(sample, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
import(const struct file *f, const char *format, struct recording *r)
{
	struct error err;

	if (import_as(NULL, f->data, f->size, r, &err))
		fail_msg("%s", err.text);
	assert_string_equal(r->format, format);
}

static char *
printed(const struct recording *r)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	for (size_t i = 0; i < r->count; i++) {
		fprintf(to, "%" PRIu64 " ", r->record[i].line);
		recording_print(r, &r->record[i], to);
	}
	fclose(to);
	return text;
}

static void
same(const struct file *dat, const struct file *text, struct recording *r)
{
	struct recording other;
	char *a, *b;

	import(dat, "tracedat", r);
	import(text, "ftrace", &other);
	assert_int_equal(r->count, other.count);
	assert_int_equal(r->lines, other.lines);
	assert_int_equal(r->lines_skipped, other.lines_skipped);
	assert_int_equal(r->threads, other.threads);
	a = printed(r);
	b = printed(&other);
	assert_string_equal(a, b);
	free(a);
	free(b);
	recording_free(&other);
}

/* Made with these options, it is the text; it has so many notes, the first with this in it. */
static void
same_with(const char *path, const char *options, uint64_t lost, uint64_t gaps, const char *note)
{
	struct recording r;
	struct file text, dat = make(path, options, &text);

	same(&dat, &text, &r);
	assert_int_equal(r.events_lost, lost);
	assert_int_equal(r.gaps, gaps);
	assert_int_equal(r.times_backwards, 0);
	assert_int_equal(r.notes, note ? 1 : 0);
	if (note)
		assert_non_null(strstr(r.note[0], note));
	recording_free(&r);
	free(dat.data);
	free(text.data);
}

static void
as_text(void **state)
{
	const char *path = sample_path();

	same_with(path, "", 0, 0, NULL);
	same_with(path, "endian=big", 0, 0, NULL);
	same_with(path, "clock=mono", 0, 0, NULL);
	same_with(RECORDING, "", 0, 0, NULL);
	same_with(RECORDING, "lost=17", 17, 0, NULL);
	same_with(RECORDING, "lost=unknown", 0, 1, NULL);
	same_with(RECORDING, "instance=virtio endian=big", 0, 0, "the buffer virtio is read");
}

static void
records(void **state)
{
	struct recording r;
	struct file dat = make(sample_path(), "", NULL);

	import(&dat, "tracedat", &r);
	assert_int_equal(r.lines, 18);
	assert_int_equal(r.count, 17);
	for (unsigned kind = RECORD_KVM_ENTRY; kind <= RECORD_KVM_DIRTY_RING_RESET; kind++)
		assert_true(recording_count(&r, kind));
	record_is(&r, 1,
		  "95.997134000 CPU 1/KVM-7289 kvm_exit reason=EPT_VIOLATION vcpu=1 rip=0xfff0");
	record_is(&r, 3, "96.728742000 <...>-3441924 kvm_set_irq gsi=4 level=0 source=0");
	record_is(&r, 4, "96.728742001 kworker/5:2-429543 kvm_apic_accept_irq apicid=0x1f vec=209");
	record_is(&r, 11, "99.616722000 CPU 1/KVM-7289 kvm_userspace_exit reason=restart code=4");
	assert_int_equal(r.record[11].line, 13);
	recording_free(&r);
	free(dat.data);
}

/* A clock of numbers that are no times, a format that cannot be parsed. */
static void
without(void **state)
{
	struct recording r;
	struct file dat = make(sample_path(), "clock=counter", NULL);

	import(&dat, "tracedat", &r);
	assert_true(r.timeless);
	record_is(&r, 0, "#1 qemu-system-x86-971 kvm_entry vcpu=0 rip=0xf7d6b");
	record_is(&r, 7, "#9 CPU 1/KVM-7289 kvm_mmio op=write len=4 gpa=0xc0004014 val=0x7");
	assert_non_null(strstr(r.note[0], "counter"));
	recording_free(&r);
	free(dat.data);

	dat = make(sample_path(), "broken=kvm_userspace_exit", NULL);
	import(&dat, "tracedat", &r);
	assert_int_equal(r.count, 14);
	assert_int_equal(r.lines_skipped, 4);
	assert_int_equal(r.notes, 1);
	assert_non_null(strstr(r.note[0], "kvm_userspace_exit"));
	recording_free(&r);
	free(dat.data);
}

static void
cut_off(void **state)
{
	struct file dat = make(RECORDING, "instance=virtio", NULL);
	struct recording r;
	struct error err;

	for (size_t size = 10; size < dat.size; size += size < 512 ? 1 : 512) {
		char *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, dat.data, size);
		if (!import_as(NULL, copy, size, &r, &err))
			fail_msg("cut at %zu it is imported", size);
		assert_memory_equal(err.text, "log: ", 5);
		assert_null(r.record);
		free(copy);
	}
	free(dat.data);
}

/* What is wrong, and where. */
static void
refused(void **state)
{
	static const struct {
		size_t at;
		const char *bytes, *why;
	} wrong[] = {
		{ 10, "8", "version 8 of trace.dat: 6 and 7 can be read" },
		{ 12, "\2", "damaged at byte 12, in the first bytes: neither little" },
		{ 13, "\5", "damaged at byte 13, in the first bytes: a long" },
		{ 15, "\1", "damaged at byte 14, in the first bytes: no size of a page" },
		{ 18, "x", "damaged at byte 18, in the header of ring-buffer pages" },
		{ 31, "\xff\xff", "it ends at byte 20480 within the header of ring-buffer pages" },
	};
	struct file dat = make(sample_path(), "", NULL);
	struct recording r;
	struct error err;

	assert_int_equal(dat.size, 20480);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *copy = malloc(dat.size);

		assert_non_null(copy);
		memcpy(copy, dat.data, dat.size);
		memcpy(copy + wrong[i].at, wrong[i].bytes, strlen(wrong[i].bytes));
		assert_int_equal(import_as(NULL, copy, dat.size, &r, &err), -1);
		if (!strstr(err.text, wrong[i].why))
			fail_msg("\"%s\" has no \"%s\"", err.text, wrong[i].why);
		free(copy);
	}
	assert_int_equal(import_as(NULL, dat.data, dat.size - 1, &r, &err), -1);
	assert_non_null(strstr(err.text, "the events of CPU 1 are 4096 bytes from byte 16384, and "
					 "the file ends at byte 20479"));
	import_refused("tracedat", "kvm_entry", "does not begin as a trace.dat does");
	free(dat.data);
}

static void
changed(void **state)
{
	struct file dat = make(sample_path(), "instance=virtio", NULL);

	/* Half of the file is padding, and a changed number is a number. */
	assert_in_range(bytes_changed("tracedat", dat.data, dat.size, 300), 10, 290);
	free(dat.data);
}

static int
folder_make(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int
folder_remove(void **state)
{
	unlink(in_folder("dat"));
	unlink(in_folder("text"));
	unlink(in_folder("sample"));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_text), cmocka_unit_test(records), cmocka_unit_test(without),
		cmocka_unit_test(cut_off), cmocka_unit_test(refused), cmocka_unit_test(changed),
	};

	if (!tracedat_built_in()) {
		printf("there is no libtracecmd\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
