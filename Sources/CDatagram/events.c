#define _GNU_SOURCE
#include "CDatagram.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

static struct timespec to_timespec(int64_t ns) {
    return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}

int cdg_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cdg_epoll_add(int epoll, int fd, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = tag}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int cdg_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno; }

int cdg_epoll_wait(int epoll, cdg_event *events, uint32_t capacity, int64_t timeout_ns) {
    struct epoll_event ready[256];
    int room = capacity < 256 ? (int)capacity : 256;
    struct timespec timeout = to_timespec(timeout_ns < 0 ? 0 : timeout_ns);
    int count = epoll_pwait2(epoll, ready, room, timeout_ns < 0 ? NULL : &timeout, NULL);
    if (count < 0 && errno == ENOSYS) {
        // Before Linux 5.11 the time-out is in whole milliseconds; rounded up, so that nothing fires early.
        int milliseconds = timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000);
        count = epoll_wait(epoll, ready, room, milliseconds);
    }
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        uint32_t state = 0;
        if (ready[i].events & EPOLLIN) state |= CDG_READABLE;
        if (ready[i].events & EPOLLOUT) state |= CDG_WRITABLE;
        if (ready[i].events & (EPOLLERR | EPOLLHUP)) state |= CDG_FAILED;
        events[i] = (cdg_event){.tag = ready[i].data.u64, .state = state};
    }
    return count;
}

int cdg_eventfd_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void cdg_eventfd_signal(int fd) {
    // Fails only when the counter is full, and then it is readable anyway.
    while (eventfd_write(fd, 1) != 0 && errno == EINTR) {}
}

void cdg_eventfd_drain(int fd) {
    eventfd_t value;
    while (eventfd_read(fd, &value) != 0 && errno == EINTR) {}
}

int cdg_timer_create(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cdg_timer_set(int fd, int64_t at_ns, int64_t interval_ns) {
    struct itimerspec when = {.it_value = to_timespec(at_ns), .it_interval = to_timespec(interval_ns)};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) == 0 ? 0 : -errno;
}

uint64_t cdg_timer_drain(int fd) {
    uint64_t expirations = 0;
    return read(fd, &expirations, sizeof expirations) == sizeof expirations ? expirations : 0;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (int64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

int64_t cdg_boot_time(void) { return clock_ns(CLOCK_BOOTTIME); }
int64_t cdg_monotonic_time(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t cdg_wall_time(void) { return clock_ns(CLOCK_REALTIME); }
int64_t cdg_thread_cpu_time(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

void cdg_sleep_until(int64_t at_ns) {
    struct timespec time = to_timespec(at_ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
}

void cdg_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
