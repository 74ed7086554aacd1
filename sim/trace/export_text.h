/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Escapes that the exporters share.  Names come from scenarios and recordings: any bytes.  What is
 * not UTF-8 becomes U+FFFD, so that the files are well-formed whatever was in them.
 */
#ifndef RINGSIDE_TRACE_EXPORT_TEXT_H
#define RINGSIDE_TRACE_EXPORT_TEXT_H

#include <stdint.h>
#include <stdio.h>

/* With its quotes. Null is "". */
void
export_json_string(FILE *out, const char *text);

/* As a number where every JSON reader keeps it exact (53 bits), else as a string. */
void
export_json_integer(FILE *out, int64_t v);

/* For element content and attribute values in double quotes. Null is nothing. */
void
export_html_text(FILE *out, const char *text);

#endif
