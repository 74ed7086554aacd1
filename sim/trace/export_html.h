/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Swim lanes as one self-contained HTML page: no script, no font, no request.  Every event of the
 * shown actors is in it, up to EXPORT_HTML_ROWS_MAX; runs that the text form would leave out are
 * folded and open with a click.  Light and dark by the reader's setting.
 */
#ifndef RINGSIDE_TRACE_EXPORT_HTML_H
#define RINGSIDE_TRACE_EXPORT_HTML_H

#include <stdio.h>

#include "explore/failure.h"
#include "explore/lanes.h"

#define EXPORT_HTML_ROWS_MAX 50000u /* some 6 MB */

/* @failure may be null. @lanes as lanes_build() left it. Errors of writing are left in
 * ferror(@out). */
void
export_html(const struct lanes *lanes, const struct failure *failure, FILE *out);

/*
 * The same in pieces, for a page that has more: its head with @title and the style of all that
 * follows; what a failure is (a heading <h@level> and a list of terms); lanes alone; the end.
 */
void
export_html_begin(const char *title, FILE *out);
void
export_html_failure(const struct failure *failure, int level, FILE *out);
void
export_html_lanes(const struct lanes *lanes, FILE *out);
void
export_html_end(FILE *out);

#endif
