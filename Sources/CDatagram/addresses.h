// Between the kernel's socket addresses and flat ones.
#ifndef CDATAGRAM_ADDRESSES_H
#define CDATAGRAM_ADDRESSES_H

#include "CDatagram.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} socket_address;

// The kernel's form; its length, or 0 when the family is none.
static inline socklen_t to_kernel(const cdg_address *from, socket_address *to) {
    if (from->family == 4) {
        memset(&to->v4, 0, sizeof to->v4);
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htobe16(from->port);
        to->v4.sin_addr.s_addr = htobe32((uint32_t)from->low);
        return sizeof to->v4;
    }
    if (from->family == 6) {
        memset(&to->v6, 0, sizeof to->v6);
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htobe16(from->port);
        uint64_t parts[2] = {htobe64(from->high), htobe64(from->low)};
        memcpy(&to->v6.sin6_addr, parts, 16);
        return sizeof to->v6;
    }
    return 0;
}

static inline void from_kernel(const struct sockaddr *from, socklen_t length, cdg_address *to) {
    memset(to, 0, sizeof *to);
    if (length >= sizeof(struct sockaddr_in) && from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        to->family = 4;
        to->port = be16toh(v4.sin_port);
        to->low = be32toh(v4.sin_addr.s_addr);
    } else if (length >= sizeof(struct sockaddr_in6) && from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        uint64_t parts[2];
        memcpy(&v6, from, sizeof v6);
        memcpy(parts, &v6.sin6_addr, 16);
        to->family = 6;
        to->port = be16toh(v6.sin6_port);
        to->high = be64toh(parts[0]);
        to->low = be64toh(parts[1]);
    }
}

#endif
