/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reserve: a file of empty space that nobody else can eat.
 *
 * New mail is refused (452) while less than the reserve's size is free beside it. If the disk
 * fills up all the same - other programs write there too - the file is given up, and what became
 * of the mail in the spool can still be written down, so the queue empties. It is taken back once
 * there is room for it.
 */
#ifndef GATEPOST_RELAY_SPOOL_RESERVE_H
#define GATEPOST_RELAY_SPOOL_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

struct reserve {
	uint64_t bytes;
	bool held;
};

#define RESERVE_NAME "reserve"

/* 0 bytes: a fortieth of the file system, within 4 and 128 MiB. In the working directory. */
void reserve_open(struct reserve *r, uint64_t bytes);

/* May `more` bytes be taken from the disk for new mail? Takes the reserve back if it was given up.
 */
bool reserve_allows(struct reserve *r, uint64_t more);

/* True when less is free than the reserve itself holds: others have eaten what mail may take. */
bool reserve_is_short(const struct reserve *r);

/* Gives the file up. False when there is none to give. */
bool reserve_release(struct reserve *r);

/* The file system's size in bytes, 0 when it can't be told. */
uint64_t reserve_disk_bytes(void);

#endif
