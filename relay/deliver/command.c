/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/command.h"

#include "relay/spool/envelope.h"

#include <string.h>

void command_mail(const struct client_mail *m, const struct reply_extensions *e, struct buf *out)
{
	buf_printf(out, "MAIL FROM:<%s>", m->sender);
	if (e->size)
		buf_printf(out, " SIZE=%llu", (unsigned long long)m->size);
	if (e->eight_bit && m->eight_bit)
		buf_appends(out, " BODY=8BITMIME");
	if (e->smtputf8 && m->smtputf8)
		buf_appends(out, " SMTPUTF8");
	if (e->dsn && m->ret_hdrs)
		buf_appends(out, " RET=HDRS");
	if (e->dsn && *m->envid)
		buf_printf(out, " ENVID=%s", m->envid);
	buf_append(out, "\r\n", 2);
}

/* RFC 3461 §4.1; nothing is said where nothing was. */
static void add_notify(uint8_t notify, struct buf *out)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {
		{NOTIFY_NEVER, "NEVER"},
		{NOTIFY_SUCCESS, "SUCCESS"},
		{NOTIFY_FAILURE, "FAILURE"},
		{NOTIFY_DELAY, "DELAY"},
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (notify & names[i].bit) {
			buf_printf(out, "%s%s", before, names[i].name);
			before = ",";
		}
}

void command_rcpt(const struct client_recipient *r, const struct reply_extensions *e,
		  struct buf *out)
{
	buf_printf(out, "RCPT TO:<%s>", r->address);
	if (e->dsn) {
		add_notify(r->notify, out);
		if (*r->orcpt)
			buf_printf(out, " ORCPT=%s", r->orcpt);
	}
	buf_append(out, "\r\n", 2);
}

static bool ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s > 127)
			return false;
	return true;
}

const char *command_cannot(const struct client_mail *m, const struct reply_extensions *e)
{
	bool plain = ascii(m->sender);

	for (size_t i = 0; i < m->recipient_count; i++)
		plain = plain && ascii(m->recipients[i].address);
	/* Header fields in UTF-8 cannot be told from a body in UTF-8 here: both stay. */
	if (!e->smtputf8 && (!plain || (m->smtputf8 && m->eight_bit)))
		return "554 5.6.7 the peer takes no addresses or header fields in UTF-8 "
		       "(SMTPUTF8)";
	if (e->size_max && m->size > e->size_max)
		return "552 5.3.4 the message is larger than the peer takes";
	return NULL;
}

void command_to_base64(const char *bytes, size_t n, struct buf *out)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *b = (const unsigned char *)bytes;

	for (size_t i = 0; i < n; i += 3) {
		unsigned word = (unsigned)b[i] << 16;

		word |= i + 1 < n ? (unsigned)b[i + 1] << 8 : 0;
		word |= i + 2 < n ? b[i + 2] : 0;
		buf_appendc(out, letters[word >> 18]);
		buf_appendc(out, letters[word >> 12 & 63]);
		buf_appendc(out, i + 1 < n ? letters[word >> 6 & 63] : '=');
		buf_appendc(out, i + 2 < n ? letters[word & 63] : '=');
	}
}

void command_auth_plain(const char *user, const char *password, struct buf *out)
{
	struct buf text = BUF_INIT;

	buf_appendc(&text, '\0');
	buf_appends(&text, user);
	buf_appendc(&text, '\0');
	buf_appends(&text, password);
	command_to_base64(text.data, text.len, out);
	explicit_bzero(text.data, text.len);
	buf_free(&text);
}
