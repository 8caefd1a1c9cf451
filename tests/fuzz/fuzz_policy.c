/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decides over the TLS of outgoing mail, and comes from anybody. The first byte chooses: an
 * HTTP response (checked: how it is cut changes nothing), an MTA-STS policy, an MTA-STS record, a
 * DNS answer with TXT and TLSA records.
 */
#include "lib/tlsa.h"
#include "relay/deliver/dnsmsg.h"
#include "relay/deliver/sts.h"
#include "relay/http/answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool right)
{
	if (!right)
		abort();
}

static enum answer_status read_answer(struct answer *a, const char *bytes, size_t n, size_t step)
{
	enum answer_status status = ANSWER_MORE;

	answer_init(a, 1000);
	for (size_t at = 0; at < n && status == ANSWER_MORE; at += step)
		status = answer_feed(a, bytes + at, n - at < step ? n - at : step);
	return status == ANSWER_MORE ? answer_end(a) : status;
}

static void try_answer(const uint8_t *data, size_t n)
{
	struct answer whole, pieces;

	if (n < 1)
		return;
	enum answer_status status = read_answer(&whole, (const char *)data + 1, n - 1, n);
	check(status == read_answer(&pieces, (const char *)data + 1, n - 1, 1 + data[0] % 40));
	check(status != ANSWER_MORE && whole.body.len <= 1000);
	check(status == ANSWER_BAD ? whole.error != NULL
				   : whole.status >= 200 && whole.status <= 599);
	if (status == ANSWER_DONE)
		check(whole.body.len == pieces.body.len && whole.status == pieces.status &&
		      (!whole.body.len ||
		       memcmp(whole.body.data, pieces.body.data, whole.body.len) == 0));
	answer_free(&whole);
	answer_free(&pieces);
}

static void try_policy(const uint8_t *data, size_t n)
{
	const char *why = NULL;
	struct sts_policy *p = sts_parse((const char *)data, n, &why);

	check(p || why);
	if (!p)
		return;
	check(p->host_count <= STS_HOSTS_MAX && (p->host_count || p->mode == STS_NONE));
	for (size_t i = 0; i < p->host_count; i++) {
		check(strlen(p->hosts[i]) < DNS_NAME_MAX);
		if (p->hosts[i][0] != '*')
			check(sts_names(p, p->hosts[i]));
	}
	check(!sts_names(p, ""));
	sts_drop(p);
}

static void try_record(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1), id[STS_ID_MAX];

	if (!text)
		abort();
	memcpy(text, data, n);
	text[n] = '\0';
	if (sts_record(text, id))
		check(*id && strlen(id) < STS_ID_MAX &&
		      strspn(id, "0123456789"
				 "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(id));
	free(text);
}

static void try_dns(const uint8_t *data, size_t n)
{
	struct dns_record r[8];
	struct tlsa_set *set = tlsa_set_new();
	size_t count;
	unsigned rcode;
	char text[300];

	if (n > 0 &&
	    dnsmsg_read(data + 1, n - 1, data[0] % 2 ? DNS_TXT : DNS_TLSA, r, 8, &count, &rcode))
		for (size_t i = 0; i < count; i++) {
			tlsa_set_add(set, r[i].data, r[i].data_len);
			if (dnsmsg_text(&r[i], text, sizeof(text)))
				check(strlen(text) <= r[i].data_len);
		}
	tlsa_set_prefer_strong(set);
	check(set->count <= 8);
	tlsa_set_drop(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_answer, try_policy, try_record,
								 try_dns};

	if (n > 0)
		tries[data[0] % 4](data + 1, n - 1);
	return 0;
}
