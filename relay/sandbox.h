/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a role gives up before it reads its first foreign byte: its user, its view of the file
 * system, its capabilities, and every system call that its duty does not need.
 */
#ifndef GATEPOST_RELAY_SANDBOX_H
#define GATEPOST_RELAY_SANDBOX_H

#include "relay/process.h"

/*
 * The working directory becomes the root and the user gp-ROLE, where the relay runs as root and
 * the system has that user; all capabilities go. Then the filter of system calls: one that is not
 * on the role's list ends the process, and the log names it. fatal() when any of it fails.
 *
 * Builds with AddressSanitizer have no filter: its runtime needs calls of its own.
 */
void sandbox_enter(enum role_id id, const char *role_name);

/* Gives a directory to a role's user (mode 0700), where that applies. False with errno set. */
bool sandbox_own(const char *directory, const char *role_name);

/* Gives the signing keys (*.pem) in a directory to the role work (mode 0400), where that applies;
 * the other secrets there stay main's. False with errno set. */
bool sandbox_own_keys(const char *directory);

#endif
