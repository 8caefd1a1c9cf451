/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/headers.h"

#include <stddef.h>

const char *const signed_headers[] = {
	"From",
	"Sender",
	"Reply-To",
	"Subject",
	"Date",
	"Message-ID",
	"To",
	"Cc",
	"MIME-Version",
	"Content-Type",
	"Content-Transfer-Encoding",
	"Content-ID",
	"Content-Description",
	"Resent-Date",
	"Resent-From",
	"Resent-Sender",
	"Resent-To",
	"Resent-Cc",
	"Resent-Message-ID",
	"In-Reply-To",
	"References",
	"List-Id",
	"List-Help",
	"List-Unsubscribe",
	"List-Unsubscribe-Post",
	"List-Subscribe",
	"List-Post",
	"List-Owner",
	"List-Archive",
	NULL,
};
