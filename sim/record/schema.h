/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema and its versions.  `PRAGMA application_id` says that a file is ours, `PRAGMA
 * user_version` which schema it has.  A schema, once released, changes by a further step at the end
 * of the list in schema.c and in no other way: opening an older file to write runs the steps that
 * it lacks, in one transaction.
 */
#ifndef RINGSIDE_RECORD_SCHEMA_H
#define RINGSIDE_RECORD_SCHEMA_H

#include "base/error.h"
#include "record/sql.h"

#define SCHEMA_VERSION 1
#define SCHEMA_APPLICATION_ID 0x52534442 /* "RSDB" */

/* Make @s, open to write, a database of SCHEMA_VERSION, or say why it cannot be one. */
int
schema_prepare(struct sql *s, struct error *err);

/* Whether @s can be read as it is. */
int
schema_check(struct sql *s, struct error *err);

#endif
