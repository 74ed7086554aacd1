/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables: the types of litmus tests, and what they may call. */
#include "script/litmus.h"
#include "script/litmus_parse.h"

#include <string.h>

static const struct {
	const char *name;
	uint32_t size;
	bool is_signed;
} bases[LITMUS_BASES] = {
	/* ORDER LITMUS_TYPE */
	{ "signed char", 1, true },   { "short", 2, true },	     { "int", 4, true },
	{ "long", 8, true },	      { "unsigned char", 1, false }, { "unsigned short", 2, false },
	{ "unsigned int", 4, false }, { "unsigned long", 8, false }, { "atomic_t", 4, true },
	{ "spinlock_t", 4, true },
};

uint32_t
litmus_type_size(struct litmus_type t)
{
	return t.stars ? 8 : bases[t.base].size;
}

const char *
litmus_base_name(enum litmus_base base)
{
	return bases[base].name;
}

int64_t
litmus_type_value(struct litmus_type t, uint64_t raw)
{
	unsigned unused = 64 - 8 * litmus_type_size(t);

	if (!t.stars && bases[t.base].is_signed)
		return (int64_t)(raw << unused) >> unused;
	return (int64_t)(raw << unused >> unused);
}

/* --- words of types ------------------------------------------------------------------------- */

/* Other names of whole types. */
static const struct {
	const char *name;
	enum litmus_base base;
} aliases[] = {
	{ "atomic_t", LITMUS_ATOMIC }, { "spinlock_t", LITMUS_SPINLOCK },
	{ "u8", LITMUS_UCHAR },	       { "u16", LITMUS_USHORT },
	{ "u32", LITMUS_UINT },	       { "u64", LITMUS_ULONG },
	{ "s8", LITMUS_CHAR },	       { "s16", LITMUS_SHORT },
	{ "s32", LITMUS_INT },	       { "s64", LITMUS_LONG },
	{ "int8_t", LITMUS_CHAR },     { "int16_t", LITMUS_SHORT },
	{ "int32_t", LITMUS_INT },     { "int64_t", LITMUS_LONG },
	{ "uint8_t", LITMUS_UCHAR },   { "uint16_t", LITMUS_USHORT },
	{ "uint32_t", LITMUS_UINT },   { "uint64_t", LITMUS_ULONG },
	{ "intptr_t", LITMUS_LONG },   { "uintptr_t", LITMUS_ULONG },
};

struct type_words {
	bool any, has_unsigned, has_char, has_short, has_long;
};

/* 1 if the word is part of a type that is put together, 0 if not. */
static int
type_word(const struct litmus_lexer *lex, struct type_words *words)
{
	if (litmus_lex_is_name(lex, "unsigned"))
		words->has_unsigned = true;
	else if (litmus_lex_is_name(lex, "char"))
		words->has_char = true;
	else if (litmus_lex_is_name(lex, "short"))
		words->has_short = true;
	else if (litmus_lex_is_name(lex, "long"))
		words->has_long = true;
	else if (!litmus_lex_is_name(lex, "int") && !litmus_lex_is_name(lex, "signed"))
		return 0;
	words->any = true;
	return 1;
}

static enum litmus_base
base_of(const struct type_words *words)
{
	if (words->has_char)
		return words->has_unsigned ? LITMUS_UCHAR : LITMUS_CHAR;
	if (words->has_short)
		return words->has_unsigned ? LITMUS_USHORT : LITMUS_SHORT;
	if (words->has_long)
		return words->has_unsigned ? LITMUS_ULONG : LITMUS_LONG;
	return words->has_unsigned ? LITMUS_UINT : LITMUS_INT;
}

static bool
is_qualifier(const struct litmus_lexer *lex)
{
	return litmus_lex_is_name(lex, "volatile") || litmus_lex_is_name(lex, "const");
}

int
litmus_parse_base(struct litmus_parser *p, struct litmus_type *type)
{
	struct litmus_lexer *lex = &p->lex;
	struct type_words words = { false };

	while (is_qualifier(lex))
		if (litmus_lex_next(lex))
			return -1;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (!litmus_lex_is_name(lex, aliases[i].name))
			continue;
		*type = (struct litmus_type){ (uint8_t)aliases[i].base, 0 };
		return litmus_lex_next(lex) ? -1 : 1;
	}
	while (type_word(lex, &words))
		if (litmus_lex_next(lex))
			return -1;
	*type = (struct litmus_type){ (uint8_t)base_of(&words), 0 };
	return words.any;
}

int
litmus_parse_stars(struct litmus_parser *p, struct litmus_type *type)
{
	while (litmus_lex_is(&p->lex, "*") || is_qualifier(&p->lex)) {
		if (litmus_lex_is(&p->lex, "*") && ++type->stars > 4)
			return litmus_lex_expected(&p->lex, "at most 4 stars");
		if (litmus_lex_next(&p->lex))
			return -1;
	}
	return 0;
}

/* --- calls ---------------------------------------------------------------------------------- */

#define LITMUS_CALL(name, args, op, order, fun, gives, one) \
	{ #name, args, LITMUS_OP_##op, LITMUS_##order, fun, LITMUS_##gives, one },

const struct litmus_call litmus_calls[] = {
#include "script/litmus_calls.def"
	{ NULL, NULL, 0, 0, 0, 0, false }
};
