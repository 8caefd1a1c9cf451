/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libopendkim's verifier, with nothing of ours in it:
 *
 *	opendkim RECORD-FILE < message
 *
 * prints one verdict for each DKIM signature, "ALGORITHM=pass" or "ALGORITHM=error text". A line
 * of the file is "SELECTOR RECORD": what DNS says, whatever the domain.
 */
#define HAVE_STDBOOL_H 1
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *records;

static DKIM_STAT look_up(DKIM *d, DKIM_SIGINFO *sig, u_char *out, size_t n)
{
	const char *wanted = (const char *)dkim_sig_getselector(sig);
	char line[4096], selector[256];
	FILE *f = fopen(records, "r");
	DKIM_STAT status = DKIM_STAT_NOKEY;

	(void)d;
	while (f && status != DKIM_STAT_OK && fgets(line, sizeof(line), f)) {
		int text = 0;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%255s %n", selector, &text) != 1 || strcmp(selector, wanted) != 0)
			continue;
		snprintf((char *)out, n, "%s", line + text);
		status = DKIM_STAT_OK;
	}
	if (f)
		fclose(f);
	return status;
}

static void judge(DKIM *d, DKIM_SIGINFO *sig)
{
	unsigned char *algorithm = dkim_sig_gettagvalue(sig, false, (u_char *)"a");

	dkim_sig_process(d, sig);
	bool pass = dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED &&
		    dkim_sig_getbh(sig) == DKIM_SIGBH_MATCH;
	printf("%s=%s\n", algorithm ? (char *)algorithm : "?",
	       pass ? "pass" : dkim_sig_geterrorstr(dkim_sig_geterror(sig)));
}

int main(int argc, char **argv)
{
	static char bytes[1 << 16];
	DKIM_SIGINFO **sigs;
	DKIM_STAT status;
	int count = 0;
	size_t n;

	if (argc != 2) {
		fprintf(stderr, "usage: opendkim RECORD-FILE <message\n");
		return 2;
	}
	records = argv[1];
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	if (!lib || dkim_set_key_lookup(lib, look_up) != DKIM_STAT_OK)
		return 1;
	DKIM *d = dkim_verify(lib, (const unsigned char *)"test", NULL, &status);
	while (d && (n = fread(bytes, 1, sizeof(bytes), stdin)))
		if (dkim_chunk(d, (u_char *)bytes, n) != DKIM_STAT_OK)
			return 1;
	if (!d || dkim_chunk(d, NULL, 0) != DKIM_STAT_OK)
		return 1;
	dkim_eom(d, NULL);
	if (dkim_getsiglist(d, &sigs, &count) != DKIM_STAT_OK)
		count = 0;
	for (int i = 0; i < count; i++)
		judge(d, sigs[i]);
	dkim_free(d);
	dkim_close(lib);
	return 0;
}
