/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links that count clicks, or guard them, already: other senders' services and mail gateways.
 * Tracked once more they would go through two redirects, and some of them refuse to.
 */
#ifndef GATEPOST_RELAY_TRACK_TRACKERS_H
#define GATEPOST_RELAY_TRACK_TRACKERS_H

#include <stdbool.h>
#include <stddef.h>

/* url[n]: http or https, ASCII. */
bool tracker_made(const char *url, size_t n);

#endif
