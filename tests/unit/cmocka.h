/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka wants these four before it. */
#ifndef GATEPOST_TESTS_UNIT_CMOCKA_H
#define GATEPOST_TESTS_UNIT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
