/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/load.h"

#include "cli/commit.h"
#include "cli/edit.h"
#include "model/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- reading ---- */

enum { CTRL_C = 3, CTRL_D = 4 };

/* Up to Ctrl-D. False when it was given up. */
static bool read_paste(struct buf *text)
{
	struct termios was, raw;
	unsigned char byte = 0;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return false;
	raw = was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	raw.c_iflag |= IXOFF; /* a serial line's sender is held back too */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	while (text->len <= TEXT_MAX && read(STDIN_FILENO, &byte, 1) == 1 && byte != CTRL_C &&
	       byte != CTRL_D)
		buf_appendc(text, (char)byte);
	if (byte != CTRL_D)
		tcflush(STDIN_FILENO, TCIFLUSH); /* the rest would be taken for commands */
	tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return byte == CTRL_D;
}

static bool read_terminal(struct buf *text)
{
	size_t lines = 0;

	cli_say("paste or type it; Ctrl-D ends it, Ctrl-C gives up (nothing is echoed)\n");
	if (!read_paste(text)) {
		cli_say(text->len > TEXT_MAX ? "this is larger than any config\n"
					     : "given up; nothing was changed\n");
		return false;
	}
	for (size_t i = 0; i < text->len; i++)
		lines += text->data[i] == '\n';
	cli_say("%zu lines, %zu bytes\n", lines, text->len);
	return true;
}

/* What a script has behind this line, up to its end or a Ctrl-D: with stdio, which has read on. */
static bool read_input(struct buf *text)
{
	int c;

	while (text->len <= TEXT_MAX && (c = getchar()) != EOF && c != CTRL_D)
		buf_appendc(text, (char)c);
	if (text->len > TEXT_MAX)
		cli_say("this is larger than any config\n");
	return text->len <= TEXT_MAX;
}

bool load_read(const struct cli *cli, const char *name, struct buf *text)
{
	bool here = !strcmp(name, "terminal") || !strcmp(name, "-");

	if (here)
		return cli->interactive ? read_terminal(text) : read_input(text);
	if (buf_read_file(text, name, TEXT_MAX))
		return true;
	cli_say("cannot read %s: %s\n", name, strerror(errno));
	return false;
}

static int load(struct cli *cli, const char *name, bool merge)
{
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf;
	int status = CLI_FAILED;

	if (!load_read(cli, name, &text)) {
		/* it has been said */
	} else if (!text_parse(cli->model, buf_str(&text), text.len, &conf, &error)) {
		cli_say("%s is not loaded; the candidate is what it was:\n", name);
		commit_say_faults(buf_str(&error), buf_str(&text));
	} else {
		if (merge)
			edit_merge_candidate(cli, conf);
		else
			edit_take_candidate(cli, conf);
		status = CLI_OK;
	}
	buf_free(&text);
	buf_free(&error);
	return status;
}

/* ---- commands ---- */

static const char *source_of(const struct args *args)
{
	const char *file = arg_get(args, "FILE");

	return file ? file : "terminal";
}

int load_load(struct cli *cli, const struct args *args)
{
	return load(cli, source_of(args), false);
}

int load_merge(struct cli *cli, const struct args *args)
{
	return load(cli, source_of(args), true);
}

int load_and_commit(struct cli *cli, const struct args *args)
{
	int status = edit_configure(cli, args);

	if (status != CLI_OK)
		return status;
	status = load(cli, source_of(args), false);
	if (status == CLI_OK)
		status = commit_commit(cli, args);
	edit_leave(cli);
	return status;
}

int load_save(struct cli *cli, const struct args *args)
{
	const char *path = arg_get(args, "FILE");
	struct buf text = BUF_INIT;

	text_print(cli->candidate, NULL, &text);
	if (!strcmp(path, "-")) {
		buf_append(&cli->out, text.data, text.len);
		buf_free(&text);
		return CLI_OK;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, buf_str(&text), text.len) == (ssize_t)text.len;
	if (!ok)
		cli_say("cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && ok) {
		cli_say("cannot write %s: %s\n", path, strerror(errno));
		ok = false;
	}
	buf_free(&text);
	return ok ? CLI_OK : CLI_FAILED;
}
