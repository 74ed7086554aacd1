/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk fails at its n-th write or sync, for n = 1, 2, … until everything succeeds; once only,
 * or from then on.  Each time: a clear error or success, never a crash, and no earlier run is lost.
 */
#include "record_util.h"

/* A file system over SQLite's default one that counts what changes files, and fails. */
struct bad_file {
	sqlite3_file base;
	sqlite3_file *real; /* right behind us */
};

static sqlite3_vfs *real_vfs;
static sqlite3_io_methods bad_methods;
static long countdown = -1; /* writes until the first failure; below 0 never */
static bool for_ever; /* fail from then on */
static int failure_code;
static long failures;

static int
write_fails(void)
{
	if (countdown < 0)
		return SQLITE_OK;
	if (countdown > 0 && --countdown > 0)
		return SQLITE_OK;
	if (!for_ever)
		countdown = -1;
	failures++;
	return failure_code;
}

#define REAL(f) (((struct bad_file *)(f))->real)
#define FORWARD(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static int
bad_close(sqlite3_file *f)
{
	return FORWARD(f, xClose);
}
static int
bad_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return FORWARD(f, xRead, p, n, at);
}
static int
bad_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = write_fails();
	return rc ? rc : FORWARD(f, xWrite, p, n, at);
}
static int
bad_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = write_fails();
	return rc ? SQLITE_IOERR_TRUNCATE : FORWARD(f, xTruncate, size);
}
static int
bad_sync(sqlite3_file *f, int flags)
{
	int rc = write_fails();
	return rc ? SQLITE_IOERR_FSYNC : FORWARD(f, xSync, flags);
}
static int
bad_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return FORWARD(f, xFileSize, size);
}
static int
bad_lock(sqlite3_file *f, int l)
{
	return FORWARD(f, xLock, l);
}
static int
bad_unlock(sqlite3_file *f, int l)
{
	return FORWARD(f, xUnlock, l);
}
static int
bad_reserved(sqlite3_file *f, int *r)
{
	return FORWARD(f, xCheckReservedLock, r);
}
static int
bad_control(sqlite3_file *f, int op, void *p)
{
	return FORWARD(f, xFileControl, op, p);
}
static int
bad_sector(sqlite3_file *f)
{
	return FORWARD(f, xSectorSize);
}
static int
bad_traits(sqlite3_file *f)
{
	return FORWARD(f, xDeviceCharacteristics);
}
static int
bad_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
	return FORWARD(f, xShmMap, page, size, extend, p);
}
static int
bad_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return FORWARD(f, xShmLock, at, n, flags);
}
static void
bad_shm_barrier(sqlite3_file *f)
{
	FORWARD(f, xShmBarrier);
}
static int
bad_shm_unmap(sqlite3_file *f, int del)
{
	return FORWARD(f, xShmUnmap, del);
}

static int
bad_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct bad_file *f = (struct bad_file *)file;
	int rc;

	f->real = (sqlite3_file *)(f + 1);
	rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
	f->base.pMethods = f->real->pMethods ? &bad_methods : NULL;
	return rc;
}

static void
bad_vfs_register(void)
{
	static sqlite3_vfs vfs;

	real_vfs = sqlite3_vfs_find(NULL);
	bad_methods = (sqlite3_io_methods){
		2,	    bad_close,	 bad_read,     bad_write,	bad_truncate,  bad_sync,
		bad_size,   bad_lock,	 bad_unlock,   bad_reserved,	bad_control,   bad_sector,
		bad_traits, bad_shm_map, bad_shm_lock, bad_shm_barrier, bad_shm_unmap, NULL,
		NULL,
	};
	vfs = *real_vfs;
	vfs.zName = "bad";
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct bad_file) + real_vfs->szOsFile;
	vfs.xOpen = bad_open;
	assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/*
 * One session: open, two runs, close.  Adds to @done the runs that were reported as ended; returns
 * whether anything reported a failure.
 */
static bool
session(const char *path, int64_t *done)
{
	struct error err = { "" };
	struct record *r = record_open(path, &err);
	bool failed = !r;

	for (int i = 0; r && i < 2; i++) {
		err.text[0] = 0;
		if (sample_run(r, (uint64_t)i, 300, &err) > 0) {
			(*done)++;
		} else {
			failed = true;
			assert_non_null(strstr(err.text, path));
		}
	}
	if (!r)
		assert_non_null(strstr(err.text, path));
	record_close(r);
	return failed;
}

static void
fail_each_write(const char *path, int code, bool ever, bool fresh)
{
	unsigned told = 0;

	for (long n = 1;; n++) {
		int64_t done = 0;
		bool failed;

		unlink(path);
		unlink(in_folder("fault.db-wal"));
		unlink(in_folder("fault.db-shm"));
		unlink(in_folder("fault.db-journal"));
		countdown = -1;
		if (!fresh)
			assert_false(session(path, &done));
		failures = 0;
		for_ever = ever;
		failure_code = code;
		countdown = n;
		failed = session(path, &done);
		countdown = -1;
		if (!failures) { /* n is beyond the last write */
			assert_false(failed);
			assert_true(n > 20 && told > 10);
			return;
		}
		told += failed;
		/* The disk is well again: all that was reported is there, and it goes on. */
		assert_false(session(path, &done));
		assert_string_equal(ask(path, "PRAGMA integrity_check"), "ok");
		assert_true(
			ask_number(path, "SELECT count(*) FROM run WHERE verdict = 'lost-kick'") >=
			done);
		assert_int_equal(ask_number(path,
					    "SELECT count(*) FROM run r WHERE verdict = 'lost-kick'"
					    " AND (300 <> (SELECT count(*) FROM event e WHERE"
					    " e.run_id = r.id) OR NOT EXISTS (SELECT 1 FROM"
					    " violation v WHERE v.run_id = r.id))"),
				 0);
	}
}

static void
full_once(void **state)
{
	fail_each_write(in_folder("fault.db"), SQLITE_FULL, false, false);
}

static void
full_for_ever(void **state)
{
	fail_each_write(in_folder("fault.db"), SQLITE_FULL, true, true);
}

static void
broken_once(void **state)
{
	fail_each_write(in_folder("fault.db"), SQLITE_IOERR_WRITE, false, true);
}

static void
broken_for_ever(void **state)
{
	fail_each_write(in_folder("fault.db"), SQLITE_IOERR_WRITE, true, false);
}

/* A merge that fails midway leaves the output as it was, and can be done again. */
static void
merge_fails_cleanly(void **state)
{
	const char *from = in_folder("from.db"), *out = in_folder("fault.db");
	const char *in[] = { from };
	struct error err = { "" };
	struct record *r = record_open(from, &err);
	unsigned told = 0;

	for (uint64_t i = 0; i < 2; i++)
		assert_true(sample_run(r, i, 3000, &err) > 0);
	record_close(r);
	for (long n = 1;; n++) {
		int64_t done = 0;
		uint64_t merged;
		int status;

		unlink(out);
		assert_false(session(out, &done));
		failures = 0;
		for_ever = n & 1;
		failure_code = SQLITE_FULL;
		countdown = n;
		status = record_merge(out, in, 1, &merged, &err);
		countdown = -1;
		assert_string_equal(ask(out, "PRAGMA integrity_check"), "ok");
		assert_int_equal(ask_number(out, "SELECT count(*) FROM run"), 2 + merged);
		assert_true(status == 0 || merged == 0);
		if (!failures)
			break;
		told += status != 0;
		assert_int_equal(record_merge(out, in, 1, &merged, &err), 0);
		assert_int_equal(ask_number(out, "SELECT count(*) FROM event"), 6600);
	}
	assert_true(told > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_once),	       cmocka_unit_test(full_for_ever),
		cmocka_unit_test(broken_once),	       cmocka_unit_test(broken_for_ever),
		cmocka_unit_test(merge_fails_cleanly),
	};

	bad_vfs_register();
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
