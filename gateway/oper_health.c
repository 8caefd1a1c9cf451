/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the box came up, and how warm it is. */
#include "gateway/oper.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

/* The first line of DIR/NAME; false when there is none. */
static bool read_line(const char *dir, const char *name, struct buf *out)
{
	struct buf path = BUF_INIT;

	buf_clear(out);
	buf_printf(&path, "%s/%s", dir, name);
	bool ok = buf_read_file(out, buf_str(&path), 4096);
	buf_free(&path);
	buf_truncate(out, strcspn(buf_str(out), "\n"));
	return ok && out->len;
}

/* ---- boot ---- */

static void add_item(json_t *rows, const char *item, const char *value)
{
	json_t *row = json_pack("{s:s s:s}", "item", item, "value", value);

	if (row) /* not when what was read is no UTF-8 */
		json_array_append_new(rows, row);
}

static void add_disks(json_t *rows, const char *disks)
{
	struct buf state = BUF_INIT, item = BUF_INIT;
	struct dirent **names;
	int count = scandir(disks, &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && read_line(disks, names[i]->d_name, &state)) {
			buf_clear(&item);
			buf_printf(&item, "disk %s", names[i]->d_name);
			add_item(rows, buf_str(&item), buf_str(&state));
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	buf_free(&state);
	buf_free(&item);
}

json_t *oper_boot(const char *disks, struct buf *error)
{
	json_t *rows = json_array();
	struct buf text = BUF_INIT;
	struct sysinfo info;
	struct utsname uts;
	char when[32];
	struct tm tm;

	(void)error;
	sysinfo(&info);
	uname(&uts);
	time_t booted = time(NULL) - info.uptime;
	gmtime_r(&booted, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	add_item(rows, "booted", when);
	add_item(rows, "kernel", uts.release);
	if (read_line("/proc", "cmdline", &text))
		add_item(rows, "command line", buf_str(&text));
	if (read_line("/sys/class/tty/console", "active", &text))
		add_item(rows, "consoles", buf_str(&text));
	add_disks(rows, disks);
	buf_free(&text);
	return rows;
}

/* ---- temperature ---- */

/* Millidegrees in DIR/NAME. */
static bool read_celsius(const char *dir, const char *name, double *celsius)
{
	struct buf text = BUF_INIT;
	char *end;
	bool ok = read_line(dir, name, &text);
	long n = strtol(buf_str(&text), &end, 10);

	ok = ok && !*end;
	*celsius = (double)n / 1000.0;
	buf_free(&text);
	return ok;
}

static json_t *rounded(double celsius)
{
	return json_real((double)(long)(celsius * 10.0 + (celsius < 0 ? -0.5 : 0.5)) / 10.0);
}

static void add_sensor(json_t *rows, const char *name, double celsius, bool has_limit, double limit)
{
	json_t *row = json_pack("{s:s s:o s:o}", "sensor", name, "celsius", rounded(celsius),
				"limit", has_limit ? rounded(limit) : json_null());

	if (row)
		json_array_append_new(rows, row);
}

/* tempN_input with tempN_label and tempN_crit beside it (Documentation/hwmon/sysfs-interface). */
static void add_hwmon(json_t *rows, const char *dir)
{
	struct buf chip = BUF_INIT, label = BUF_INIT, name = BUF_INIT;
	double celsius, limit;
	char file[32];

	read_line(dir, "name", &chip);
	for (unsigned n = 1; n < 64; n++) {
		snprintf(file, sizeof(file), "temp%u_input", n);
		if (!read_celsius(dir, file, &celsius))
			continue;
		snprintf(file, sizeof(file), "temp%u_label", n);
		if (!read_line(dir, file, &label))
			buf_printf(&label, "%u", n);
		snprintf(file, sizeof(file), "temp%u_crit", n);
		bool has_limit = read_celsius(dir, file, &limit);
		buf_clear(&name);
		buf_printf(&name, "%s %s", buf_str(&chip), buf_str(&label));
		add_sensor(rows, buf_str(&name), celsius, has_limit, limit);
	}
	buf_free(&chip);
	buf_free(&label);
	buf_free(&name);
}

static void add_zone(json_t *rows, const char *dir)
{
	struct buf type = BUF_INIT;
	double celsius;

	if (read_celsius(dir, "temp", &celsius)) {
		read_line(dir, "type", &type);
		add_sensor(rows, buf_str(&type), celsius, false, 0);
	}
	buf_free(&type);
}

static void each_folder(const char *sys, const char *class, const char *begins, json_t *rows,
			void (*add)(json_t *rows, const char *dir))
{
	struct buf path = BUF_INIT;
	struct dirent **names;

	buf_printf(&path, "%s/class/%s", sys, class);
	size_t len = path.len;
	int count = scandir(buf_str(&path), &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		buf_truncate(&path, len);
		buf_printf(&path, "/%s", names[i]->d_name);
		if (!strncmp(names[i]->d_name, begins, strlen(begins)))
			add(rows, buf_str(&path));
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	buf_free(&path);
}

json_t *oper_temperature(const char *sys, struct buf *error)
{
	json_t *rows = json_array();

	(void)error;
	each_folder(sys, "hwmon", "hwmon", rows, add_hwmon);
	if (!json_array_size(rows)) /* the same sensors, seen by the kernel's own cooling */
		each_folder(sys, "thermal", "thermal_zone", rows, add_zone);
	return rows;
}
