#define _GNU_SOURCE
#include "addresses.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <unistd.h>

static void set_buffer(int fd, int forced, int plain, int32_t size) {
    // The forced option ignores net.core.[rw]mem_max but needs CAP_NET_ADMIN; the plain one is capped by it.
    if (size > 0 && setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

static int apply(int fd, bool v6, const cdg_options *options) {
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options->receive_buffer);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options->send_buffer);
    if (options->reuse_address && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return -1;
    if (v6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only ? 1 : 0) != 0) return -1;
    if (options->report_errors && !v6 && set(fd, IPPROTO_IP, IP_RECVERR, 1) != 0) return -1;
    if (options->report_errors && v6 && set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) != 0) return -1;
    if (options->stamp_arrivals && set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) != 0) return -1;
    if (options->path_mtu != CDG_PATH_MTU_SYSTEM) {
        int mode = options->path_mtu == CDG_PATH_MTU_FRAGMENT ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO;
        if (!v6 && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, mode) != 0) return -1;
        if (v6 && set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, mode) != 0) return -1;
    }
    if (options->traffic_class != 0) {
        if (!v6) set(fd, IPPROTO_IP, IP_TOS, options->traffic_class);
        if (v6) set(fd, IPPROTO_IPV6, IPV6_TCLASS, options->traffic_class);
    }
    return 0;
}

int cdg_open_udp(const cdg_address *local, const cdg_options *options) {
    socket_address address;
    socklen_t length = to_kernel(local, &address);
    if (length == 0) return -EAFNOSUPPORT;
    int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) return -errno;
    if (apply(fd, local->family == 6, options) != 0 || bind(fd, &address.any, length) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int cdg_connect(int fd, const cdg_address *remote) {
    socket_address address;
    socklen_t length = to_kernel(remote, &address);
    if (length == 0) return -EAFNOSUPPORT;
    return connect(fd, &address.any, length) == 0 ? 0 : -errno;
}

int cdg_local_address(int fd, cdg_address *address) {
    socket_address kernel;
    socklen_t length = sizeof kernel;
    if (getsockname(fd, &kernel.any, &length) != 0) return -errno;
    from_kernel(&kernel.any, length, address);
    return 0;
}

int64_t cdg_dropped(int fd) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return -errno;
    return info[SK_MEMINFO_DROPS];
}

int cdg_receive_buffer(int fd) {
    int size = 0;
    socklen_t length = sizeof size;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) != 0) return -errno;
    return size;
}

void cdg_close(int fd) { close(fd); }
