/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/lanport_set.h"

#include "gateway/file.h"
#include "gateway/runit.h"
#include "gateway/services.h"
#include "lib/lanport.h"

#include <errno.h>
#include <string.h>

/* What stands in the file; a line that cannot be used counts as it does for the console. */
static void read_now(const char *path, struct lanport *s)
{
	struct buf text = BUF_INIT, unsaid = BUF_INIT;

	lanport_default(s);
	if (buf_read_file(&text, path, LANPORT_FILE_MAX))
		lanport_parse(s, buf_str(&text), &unsaid);
	buf_free(&text);
	buf_free(&unsaid);
}

json_t *lanport_set(struct gate *g, const struct peer *peer, const json_t *request)
{
	static const char *const names[] = {"address", "dhcp"};
	struct buf lines = BUF_INIT, error = BUF_INIT, text = BUF_INIT;
	struct lanport s;
	char address[PREFIX_STR_MAX];

	(void)peer;
	read_now(g->lanport, &s);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = json_string_value(json_object_get(request, names[i]));
		if (value)
			buf_printf(&lines, "%s %s\n", names[i], value);
	}
	bool ok = lanport_parse(&s, buf_str(&lines), &error);
	if (ok && lines.len) {
		lanport_print(&s, &text);
		ok = file_replace(g->lanport, text.data, text.len, 0644, &error);
		if (ok && g->services)
			runit_tell(g->services, "console", 'h');
	}
	json_t *answer = ok ? json_pack("{s:b s:s s:b}", "ok", 1, "address",
					prefix_format(&s.address, address), "dhcp", s.dhcp)
			    : verb_failure("%s", buf_str(&error));
	buf_free(&lines);
	buf_free(&error);
	buf_free(&text);
	return answer;
}
