/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal's writer and reader share; nobody else includes this. */
#ifndef GATEPOST_RELAY_REPORT_JOURNAL_H
#define GATEPOST_RELAY_REPORT_JOURNAL_H

#include "relay/report/events.h"

#define JOURNAL_MAGIC "GPEVENT1"

enum { JOURNAL_NAME_MAX = 32 };

void journal_name(uint64_t number, char out[JOURNAL_NAME_MAX]);
/* Calls fn for each file's number, in no order. False with errno set. */
bool journal_each(int dir, void (*fn)(uint64_t number, void *arg), void *arg);
uint32_t journal_sum(uint32_t length, const void *payload);

/*
 * For a file that nobody writes to: how many sound records it has from that offset on, and where
 * the last one of them ends (EVENTS_HEAD when there is none). False with errno set.
 */
bool journal_sound_end(int dir, uint64_t number, uint64_t from, uint64_t *records, uint64_t *end);

#endif
