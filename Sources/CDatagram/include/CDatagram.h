// Datagram sockets, epoll and clocks in the shape Swift can use without allocating: flat arrays that are set up
// once, addresses as integers in host order, errors as negative errno. Linux only.
#ifndef CDATAGRAM_H
#define CDATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A transport address. IPv4 lives in the lower 32 bits of `low`; IPv6 in `high` and `low`; all in host order.
typedef struct {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint16_t family;  // 4, 6, or 0 for none
} cdg_address;

// ---- Sockets -------------------------------------------------------------------------------------------------------

typedef enum {
    CDG_PATH_MTU_SYSTEM = 0,    // the system's default
    CDG_PATH_MTU_FRAGMENT = 1,  // never set DF: large datagrams are fragmented
    CDG_PATH_MTU_REFUSE = 2     // always set DF: a datagram over the path MTU fails with EMSGSIZE
} cdg_path_mtu;

typedef struct {
    int32_t receive_buffer;  // bytes, 0 for the system's default
    int32_t send_buffer;
    bool reuse_address;  // for UDP this lets another process steal the port: leave it off unless that is wanted
    bool v6_only;
    bool report_errors;  // IP_RECVERR: ICMP errors are queued with the destination that caused them
    bool stamp_arrivals;  // SO_TIMESTAMPNS: each datagram carries the time the kernel took it, for cdg_receive_stamped
    cdg_path_mtu path_mtu;
    uint8_t traffic_class;  // DSCP and ECN byte; 0 leaves the default
} cdg_options;

// A bound, non-blocking, close-on-exec UDP socket, or -errno. Port 0 lets the system choose.
int cdg_open_udp(const cdg_address *local, const cdg_options *options);

// Fixes the peer: only its datagrams arrive, and its ICMP errors come back as errno of the next call. 0 or -errno.
int cdg_connect(int fd, const cdg_address *remote);

// The address the socket is bound to. 0 or -errno.
int cdg_local_address(int fd, cdg_address *address);

// Datagrams that the kernel threw away because the socket's receive buffer was full, since it was opened.
// Wraps at 2^32; -errno on failure.
int64_t cdg_dropped(int fd);

// The receive buffer that the kernel granted, in bytes (it counts its own overhead too), or -errno.
int cdg_receive_buffer(int fd);

void cdg_close(int fd);

// ---- Receiving -----------------------------------------------------------------------------------------------------

// Room for `capacity` datagrams, reused for every call. Pages that no datagram ever reached are not resident.
typedef struct {
    uint32_t capacity;
    uint32_t datagram_size;  // longer datagrams are cut and marked
    uint8_t *bytes;          // datagram i starts at bytes + i * datagram_size
    uint32_t *lengths;
    cdg_address *sources;
    bool *truncated;
    int64_t *arrivals;  // CLOCK_REALTIME in nanoseconds, by cdg_receive_stamped; 0 where the kernel told none
    void *internals;
} cdg_receive_batch;

// NULL when memory is short.
cdg_receive_batch *cdg_receive_batch_create(uint32_t capacity, uint32_t datagram_size);
void cdg_receive_batch_destroy(cdg_receive_batch *batch);

// Takes up to `limit` waiting datagrams (never waits): their number, 0 when there is none, or -errno.
// A pending ICMP error of the socket comes out as -ECONNREFUSED or its like once; call again for the datagrams.
int cdg_receive(int fd, cdg_receive_batch *batch, uint32_t limit);

// The same with `arrivals` filled, for a socket opened with stamp_arrivals. A batch is used with one of the two only.
int cdg_receive_stamped(int fd, cdg_receive_batch *batch, uint32_t limit);

// ---- Sending -------------------------------------------------------------------------------------------------------

// Room to describe `capacity` datagrams. It keeps pointers only: the bytes must live until cdg_send_batch returns.
typedef struct {
    uint32_t capacity;
    void *internals;
} cdg_send_batch;

cdg_send_batch *cdg_send_batch_create(uint32_t capacity);
void cdg_send_batch_destroy(cdg_send_batch *batch);

// Describes datagram `index` (< capacity): head followed by body, either may be empty. destination NULL: connected.
void cdg_send_batch_set(
    cdg_send_batch *batch, uint32_t index, const cdg_address *destination, const void *head, uint32_t head_length,
    const void *body, uint32_t body_length);

// Sends datagrams first ..< first + count in order (never waits): how many the kernel took, or -errno when it took none.
int cdg_send_batch_flush(int fd, cdg_send_batch *batch, uint32_t first, uint32_t count);

// Sends one datagram, head followed by body. destination NULL: connected. 0 or -errno.
int cdg_send(
    int fd, const cdg_address *destination, const void *head, uint32_t head_length, const void *body,
    uint32_t body_length);

// ---- ICMP errors (sockets opened with report_errors) ----------------------------------------------------------------

typedef struct {
    cdg_address destination;  // where the datagram that failed was sent
    int32_t error;            // errno: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE …
    uint8_t origin;           // SO_EE_ORIGIN_*: 1 local, 2 ICMP, 3 ICMPv6
    uint8_t type;
    uint8_t code;
    uint32_t info;  // for EMSGSIZE the path MTU
} cdg_error;

// Takes one queued error: 1 when there was one, 0 when not, or -errno.
int cdg_read_error(int fd, cdg_error *error);

// ---- epoll, eventfd, timerfd ---------------------------------------------------------------------------------------

enum {
    CDG_READABLE = 1,
    CDG_WRITABLE = 2,
    CDG_FAILED = 4  // an error or hang-up is pending
};

typedef struct {
    uint64_t tag;  // what was given when the descriptor was added
    uint32_t state;
} cdg_event;

int cdg_epoll_create(void);
// Watches fd for being readable (and failed), level-triggered. 0 or -errno.
int cdg_epoll_add(int epoll, int fd, uint64_t tag);
int cdg_epoll_remove(int epoll, int fd);
// Waits at most timeout_ns nanoseconds (0: not at all, negative: for ever). At most 256 events a call.
// Their number, 0 for the time-out or a signal, or -errno.
int cdg_epoll_wait(int epoll, cdg_event *events, uint32_t capacity, int64_t timeout_ns);

int cdg_eventfd_create(void);
void cdg_eventfd_signal(int fd);
void cdg_eventfd_drain(int fd);

// A timer on CLOCK_MONOTONIC; readable when due.
int cdg_timer_create(void);
// First at `at_ns` (absolute, CLOCK_MONOTONIC), then every interval_ns (0: once). at_ns 0 disarms. 0 or -errno.
int cdg_timer_set(int fd, int64_t at_ns, int64_t interval_ns);
// How often it was due since the last call; 0 when it was not.
uint64_t cdg_timer_drain(int fd);

// ---- Clocks --------------------------------------------------------------------------------------------------------

// Nanoseconds since boot, counting the time the machine was suspended.
int64_t cdg_boot_time(void);
// Nanoseconds since boot, without suspension; what cdg_timer_set compares with.
int64_t cdg_monotonic_time(void);
// Nanoseconds of civil time (CLOCK_REALTIME), the clock of `arrivals`; it may be set.
int64_t cdg_wall_time(void);
// Sleeps until CLOCK_MONOTONIC reaches at_ns; returns at once when it has. Signals do not cut it short.
void cdg_sleep_until(int64_t at_ns);
// CPU time of the calling thread in nanoseconds.
int64_t cdg_thread_cpu_time(void);

// Names the calling thread for ps and debuggers; the first 15 bytes count.
void cdg_name_thread(const char *name);

#ifdef __cplusplus
}
#endif
#endif
