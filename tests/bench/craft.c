/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the role work does to a message, on one core and without the roles around it:
 *
 *	craft KEY-DIRECTORY SECONDS HTML LETTER...
 *
 * prints {"rewrite_mb_s": …, "links": …, "sign_per_s": [of each LETTER]}: how many megabytes of the
 * message HTML go through the rewriting, with its links sealed and a pixel, and how many signatures
 * a second each LETTER gets, by the key craft.example.bench.pem. In processor time.
 */
#include "relay/sign/dkim.h"
#include "relay/track/rewrite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LETTER_MAX = 16 * 1024 * 1024, TURN = 16 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "craft: %s: %s\n", what, why);
	exit(1);
}

static void read_letter(const char *path, struct buf *out)
{
	if (!buf_read_file(out, path, LETTER_MAX))
		die(path, "cannot be read");
}

static double rewrite_mb_s(const struct buf *m, double seconds, unsigned *links)
{
	const struct token_key key = {.id = 1, .secret = {7}};
	struct token_ring *ring = token_ring_new(&key, 1);
	struct track_options o = {.opens = true,
				  .clicks_html = true,
				  .https = true,
				  .host = "t.example.net",
				  .account = "craft",
				  .ring = ring,
				  .key_id = 1,
				  .accepted = 1700000000};
	double begun = now_s(), took;
	size_t bytes = 0;

	do {
		for (int i = 0; i < TURN; i++) {
			struct buf out = BUF_INIT;
			struct track_report report = {0};
			o.message++;
			track_rewrite(m->data, m->len, &o, &out, &report);
			*links = report.link_count;
			if (!report.pixel)
				die("the HTML message", "got no pixel");
			track_report_free(&report);
			buf_free(&out);
			bytes += m->len;
		}
		took = now_s() - begun;
	} while (took < seconds);
	token_ring_free(ring);
	return (double)bytes / took / 1e6;
}

static double sign_per_s(struct dkim_signer *s, struct sign_keys *keys, const struct buf *m,
			 double seconds)
{
	struct buf error = BUF_INIT, out = BUF_INIT;
	double begun = now_s(), took;
	unsigned count = 0;

	do {
		for (int i = 0; i < TURN; i++, count++) {
			buf_clear(&out);
			if (!dkim_sign_message(s, keys, m->data, m->len, "craft.example", "bench",
					       1700000000 + count, &out, &error))
				die("a letter", buf_str(&error));
		}
		took = now_s() - begun;
	} while (took < seconds);
	buf_free(&out);
	buf_free(&error);
	return count / took;
}

int main(int argc, char **argv)
{
	struct buf error = BUF_INIT, m = BUF_INIT;
	unsigned links = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: craft KEY-DIRECTORY SECONDS HTML LETTER...\n");
		return 2;
	}
	int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	double seconds = atof(argv[2]);
	if (dir < 0 || !keys_override_in_force())
		die(argv[1], "no directory, or libopendkim does not take keys from here");
	struct dkim_signer *signer = dkim_signer_new(&error);
	if (!signer)
		die("signing", buf_str(&error));
	struct sign_keys *keys = sign_keys_new(dir);
	read_letter(argv[3], &m);
	printf("{\"rewrite_mb_s\": %f", rewrite_mb_s(&m, seconds, &links));
	printf(", \"links\": %u, \"sign_per_s\": [", links);
	for (int i = 4; i < argc; i++) {
		buf_clear(&m);
		read_letter(argv[i], &m);
		printf("%s%f", i > 4 ? ", " : "", sign_per_s(signer, keys, &m, seconds));
	}
	puts("]}");
	buf_free(&m);
	sign_keys_free(keys);
	dkim_signer_free(signer);
	return 0;
}
