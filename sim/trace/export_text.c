/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/export_text.h"

#include <inttypes.h>
#include <stddef.h>

#define JSON_EXACT_MAX (INT64_C(1) << 53)

/* Bytes of the well-formed UTF-8 character at @p, 0 if there is none. */
static size_t
utf8_length(const unsigned char *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (n < 2)
		return n;
	c = *p & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

void
export_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p;) {
		size_t n = utf8_length(p);

		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < ' ' || *p == 0x7f)
			fprintf(out, "\\u%04x", *p);
		else if (!n)
			fputs("\\ufffd", out);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
	fputc('"', out);
}

void
export_json_integer(FILE *out, int64_t v)
{
	if (v >= -JSON_EXACT_MAX && v <= JSON_EXACT_MAX)
		fprintf(out, "%" PRId64, v);
	else
		fprintf(out, "\"%" PRId64 "\"", v);
}

void
export_html_text(FILE *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p;) {
		size_t n = utf8_length(p);

		if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '"')
			fputs("&quot;", out);
		else if (!n || (*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			fputs("&#xfffd;", out);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
}
