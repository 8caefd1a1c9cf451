/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of a log as a syslog message (RFC 5424, over UDP RFC 5426). Pure.
 *
 * Lines come from svlogd ("2026-11-24_00:16:09.12345 ident: level: words") and from the kernel's
 * /dev/kmsg ("6,1234,5678901,-;words"). What they hold has been escaped by who wrote them; what
 * has not (another program's words, the kernel's) has control characters replaced here.
 */
#ifndef GATEPOST_GATEWAY_SYSLOG_LINE_H
#define GATEPOST_GATEWAY_SYSLOG_LINE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* A receiver need not take more (RFC 5426 §3.2 asks for 2,048 at least to be prudent). */
#define SYSLOG_MESSAGE_MAX 2048

/* Of the service whose log it is. A line without svlogd's time is sent without one. */
void syslog_service_line(const char *host, const char *service, const char *line, size_t n,
			 struct buf *out);
/* now: "2026-11-24T00:16:09Z". False for what is no message (a continuation line). */
bool syslog_kernel_line(const char *host, const char *now, const char *line, size_t n,
			struct buf *out);

#endif
