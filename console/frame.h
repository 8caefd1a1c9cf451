/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ethernet frames at the LAN port: which are let in, and in which of five queues they wait.
 *
 * The port has one packet socket for each class below, with a filter that the kernel runs, so that
 * a flood of one kind neither fills the queue of another nor costs more than being dropped. What is
 * in no class never reaches the stack: fragments (SSH and DHCP need none), tagged frames, frames
 * for other machines, every port but 22, router advertisements and redirects.
 *
 * Each class has a budget; what a second brings beyond it waits, and then is dropped, in the
 * kernel's queue.
 */
#ifndef GATEPOST_CONSOLE_FRAME_H
#define GATEPOST_CONSOLE_FRAME_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_class {
	FRAME_SESSION,   /* TCP to port 22 without SYN: connections under way */
	FRAME_SYN,       /* TCP to port 22 with SYN: connections to be */
	FRAME_NEIGHBOUR, /* ARP; ICMPv6 neighbour solicitation and advertisement */
	FRAME_DHCP,      /* UDP to port 67 or 68, IPv4 */
	FRAME_PING,      /* echo requests, IPv4 and IPv6 */
	FRAME_CLASSES
};

struct frame_class_traits {
	const char *name;
	unsigned per_second;  /* frames; a tenth of it at once */
	unsigned queue_bytes; /* in the kernel */
};

extern const struct frame_class_traits frame_classes[FRAME_CLASSES];

enum { FRAME_FILTER_MAX = 96 }; /* instructions */

/* Writes the class's filter for SO_ATTACH_FILTER; returns its instructions. */
uint16_t frame_filter(enum frame_class class, struct sock_filter out[FRAME_FILTER_MAX]);

/*
 * A frame may be longer than the wire's 1,514 bytes: the kernel hands over what a peer on the same
 * machine left unsegmented, and what the card or GRO put together. 65,535 is what lwIP can count.
 */
enum { FRAME_MAX = 65535, FRAME_SENT_MAX = 1514, FRAME_HEADER = 14, MAC_LEN = 6 };

/* The Internet checksum (RFC 1071) of bytes[n], begun with sum (0, or a pseudo header's). */
uint16_t frame_checksum(uint32_t sum, const uint8_t *bytes, size_t n);

/* The sum of a pseudo header of IPv4 (addresses at src and dst, 4 bytes each). */
uint32_t frame_pseudo_sum(const uint8_t *src, const uint8_t *dst, uint8_t protocol, size_t n);

/*
 * Writes the TCP, UDP or ICMPv6 checksum that a peer left to its card, which a peer on the same
 * machine does not have (PACKET_AUXDATA says TP_STATUS_CSUMNOTREADY). A frame that it does not
 * understand stays as it is.
 */
void frame_finish_checksum(uint8_t *frame, size_t n);

#endif
