/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_model YANG-DIR CONFIG TIMES: reads and validates a config, prints milliseconds, a line each.
 */
#include "model/model.h"
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct model *m = argc == 4 ? model_open(argv[1], false, &error) : NULL;

	if (!m || !buf_read_file(&text, argv[2], TEXT_MAX)) {
		fprintf(stderr, "load_model: %s\n", buf_str(&error));
		return 1;
	}
	for (int i = atoi(argv[3]); i > 0; i--) {
		struct lyd_node *conf;
		double begin = now_ms();
		if (!text_parse(m, buf_str(&text), text.len, &conf, &error) ||
		    !model_validate(m, &conf, &error)) {
			fprintf(stderr, "%s", buf_str(&error));
			return 1;
		}
		printf("%.1f\n", now_ms() - begin);
		conf_free(conf);
	}
	model_close(m);
	buf_free(&text);
	buf_free(&error);
	return 0;
}
