/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling runsv(8), through the pipe FOLDER/SERVICE/supervise/control that it reads. */
#ifndef GATEPOST_GATEWAY_RUNIT_H
#define GATEPOST_GATEWAY_RUNIT_H

#include <stdbool.h>

/* One letter of runsv's: 'h' SIGHUP, 't' SIGTERM, 'u' up... False when no runsv holds the service.
 */
bool runit_tell(const char *folder, const char *service, char letter);
/* Ends what runs and starts it anew; starts what is down. */
bool runit_restart(const char *folder, const char *service);

#endif
