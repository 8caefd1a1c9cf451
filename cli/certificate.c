/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/certificate.h"

#include "cli/load.h"

#include <string.h>

int system_certificate(struct cli *cli, const struct args *args)
{
	struct buf pem = BUF_INIT;
	int status = CLI_FAILED;

	if (!load_read(cli, "terminal", &pem))
		return status;
	json_t *answer = cli_ask(cli,
				 json_pack("{s:s s:s s:s}", "verb", "certificate", "name",
					   arg_get(args, "NAME"), "key", buf_str(&pem)),
				 &status);
	if (answer)
		buf_appends(&cli->out, json_string_value(json_object_get(answer, "notes")));
	explicit_bzero(pem.data, pem.cap);
	buf_free(&pem);
	json_decref(answer);
	return status;
}
