/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/oper.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

/* ---- services ---- */

/*
 * runit's supervise/status: 20 bytes. TAI64N time of the last change (8 + 4), the pid in little
 * endian (4), paused, wanted ('u' or 'd'), TERM sent, state (0 down, 1 run, 2 finish).
 */
enum { STATUS_BYTES = 20 };

static json_t *service_row(const char *name, const unsigned char status[STATUS_BYTES])
{
	static const char *const states[] = {"down", "running", "finishing"};
	uint64_t tai;
	uint32_t pid;

	memcpy(&tai, status, sizeof(tai));
	memcpy(&pid, status + 12, sizeof(pid));
	/* TAI64 labels are 2^62 and ten seconds ahead, as runit counts them. */
	int64_t since = (int64_t)(be64toh(tai) - 4611686018427387914ULL);
	int64_t seconds = (int64_t)time(NULL) - since;
	return json_pack("{s:s s:s s:I s:I}", "name", name, "state",
			 status[19] < 3 ? states[status[19]] : "?", "pid", (json_int_t)le32toh(pid),
			 "seconds", (json_int_t)(seconds < 0 ? 0 : seconds));
}

static bool read_status(const char *folder, const char *name, unsigned char out[STATUS_BYTES])
{
	struct buf path = BUF_INIT, bytes = BUF_INIT;

	buf_printf(&path, "%s/%s/supervise/status", folder, name);
	bool ok = buf_read_file(&bytes, buf_str(&path), STATUS_BYTES) && bytes.len == STATUS_BYTES;
	if (ok)
		memcpy(out, bytes.data, STATUS_BYTES);
	buf_free(&path);
	buf_free(&bytes);
	return ok;
}

json_t *oper_services(const char *folder, struct buf *error)
{
	struct dirent **names;
	json_t *rows = json_array();
	int count = scandir(folder, &names, NULL, alphasort);

	if (count < 0) {
		buf_printf(error, "%s: %s\n", folder, strerror(errno));
		json_decref(rows);
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		unsigned char status[STATUS_BYTES];
		if (names[i]->d_name[0] != '.' && read_status(folder, names[i]->d_name, status))
			json_array_append_new(rows, service_row(names[i]->d_name, status));
		free(names[i]);
	}
	free(names);
	return rows;
}

/* ---- version ---- */

static void add_release(json_t *object, char *text)
{
	char *save, *line = strtok_r(text, "\n", &save);

	for (; line; line = strtok_r(NULL, "\n", &save)) {
		char *equals = strchr(line, '=');
		if (!equals || *line == '#')
			continue;
		*equals = '\0';
		char *value = equals + 1;
		size_t len = strlen(value);
		if (len > 1 && *value == '"' && value[len - 1] == '"') {
			value[len - 1] = '\0';
			value++;
		}
		json_object_set_new(object, line, json_string(value));
	}
}

json_t *oper_version(const char *release)
{
	json_t *software = json_object();
	struct buf text = BUF_INIT;
	struct utsname uts;
	struct sysinfo info;

	if (buf_read_file(&text, release, 4096)) {
		char *lines = buf_steal(&text);
		add_release(software, lines);
		free(lines);
	}
	buf_free(&text);
	uname(&uts);
	sysinfo(&info);
	return json_pack("{s:o s:s s:s s:I}", "release", software, "kernel", uts.release, "machine",
			 uts.machine, "up_s", (json_int_t)info.uptime);
}
