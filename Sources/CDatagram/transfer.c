#define _GNU_SOURCE
#include "addresses.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

// Room for one SCM_TIMESTAMPNS.
typedef union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct timespec))];
} stamp_room;

typedef struct {
    struct mmsghdr *headers;
    struct iovec *vectors;
    socket_address *addresses;
    stamp_room *stamps;  // made when first needed
} message_arrays;

static message_arrays *arrays_create(uint32_t capacity, uint32_t vectors_each) {
    message_arrays *arrays = calloc(1, sizeof *arrays);
    if (arrays == NULL) return NULL;
    arrays->headers = calloc(capacity, sizeof *arrays->headers);
    arrays->vectors = calloc((size_t)capacity * vectors_each, sizeof *arrays->vectors);
    arrays->addresses = calloc(capacity, sizeof *arrays->addresses);
    if (arrays->headers == NULL || arrays->vectors == NULL || arrays->addresses == NULL) return arrays;
    for (uint32_t i = 0; i < capacity; i++) {
        arrays->headers[i].msg_hdr.msg_iov = &arrays->vectors[(size_t)i * vectors_each];
        arrays->headers[i].msg_hdr.msg_iovlen = vectors_each;
    }
    return arrays;
}

static bool arrays_complete(const message_arrays *arrays) {
    return arrays != NULL && arrays->headers != NULL && arrays->vectors != NULL && arrays->addresses != NULL;
}

static void arrays_destroy(message_arrays *arrays) {
    if (arrays == NULL) return;
    free(arrays->headers);
    free(arrays->vectors);
    free(arrays->addresses);
    free(arrays->stamps);
    free(arrays);
}

cdg_receive_batch *cdg_receive_batch_create(uint32_t capacity, uint32_t datagram_size) {
    if (capacity == 0 || datagram_size == 0) return NULL;
    cdg_receive_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->capacity = capacity;
    batch->datagram_size = datagram_size;
    batch->bytes = malloc((size_t)capacity * datagram_size);
    batch->lengths = calloc(capacity, sizeof *batch->lengths);
    batch->sources = calloc(capacity, sizeof *batch->sources);
    batch->truncated = calloc(capacity, sizeof *batch->truncated);
    batch->arrivals = calloc(capacity, sizeof *batch->arrivals);
    message_arrays *arrays = arrays_create(capacity, 1);
    batch->internals = arrays;
    if (!arrays_complete(arrays) || batch->bytes == NULL || batch->lengths == NULL || batch->sources == NULL ||
        batch->truncated == NULL || batch->arrivals == NULL) {
        cdg_receive_batch_destroy(batch);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        arrays->vectors[i].iov_base = batch->bytes + (size_t)i * datagram_size;
        arrays->vectors[i].iov_len = datagram_size;
        arrays->headers[i].msg_hdr.msg_name = &arrays->addresses[i];
        arrays->headers[i].msg_hdr.msg_namelen = sizeof arrays->addresses[i];
    }
    return batch;
}

void cdg_receive_batch_destroy(cdg_receive_batch *batch) {
    if (batch == NULL) return;
    arrays_destroy(batch->internals);
    free(batch->bytes);
    free(batch->lengths);
    free(batch->sources);
    free(batch->truncated);
    free(batch->arrivals);
    free(batch);
}

int cdg_receive(int fd, cdg_receive_batch *batch, uint32_t limit) {
    message_arrays *arrays = batch->internals;
    uint32_t room = limit < batch->capacity ? limit : batch->capacity;
    int count = recvmmsg(fd, arrays->headers, room, MSG_DONTWAIT, NULL);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        struct msghdr *header = &arrays->headers[i].msg_hdr;
        batch->lengths[i] = arrays->headers[i].msg_len;
        batch->truncated[i] = (header->msg_flags & MSG_TRUNC) != 0;
        from_kernel(header->msg_name, header->msg_namelen, &batch->sources[i]);
        header->msg_namelen = sizeof(socket_address);
    }
    return count;
}

static int64_t arrival(struct msghdr *header) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec time;
        if (part->cmsg_len < CMSG_LEN(sizeof time)) continue;
        memcpy(&time, CMSG_DATA(part), sizeof time);
        return (int64_t)time.tv_sec * 1000000000LL + time.tv_nsec;
    }
    return 0;
}

int cdg_receive_stamped(int fd, cdg_receive_batch *batch, uint32_t limit) {
    message_arrays *arrays = batch->internals;
    if (arrays->stamps == NULL) arrays->stamps = calloc(batch->capacity, sizeof *arrays->stamps);
    if (arrays->stamps == NULL) return -ENOMEM;
    uint32_t room = limit < batch->capacity ? limit : batch->capacity;
    for (uint32_t i = 0; i < room; i++) {
        arrays->headers[i].msg_hdr.msg_control = &arrays->stamps[i];
        arrays->headers[i].msg_hdr.msg_controllen = sizeof arrays->stamps[i];
    }
    int count = cdg_receive(fd, batch, room);
    for (int i = 0; i < count; i++) batch->arrivals[i] = arrival(&arrays->headers[i].msg_hdr);
    return count;
}

cdg_send_batch *cdg_send_batch_create(uint32_t capacity) {
    if (capacity == 0) return NULL;
    cdg_send_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->capacity = capacity;
    batch->internals = arrays_create(capacity, 2);
    if (!arrays_complete(batch->internals)) {
        cdg_send_batch_destroy(batch);
        return NULL;
    }
    return batch;
}

void cdg_send_batch_destroy(cdg_send_batch *batch) {
    if (batch == NULL) return;
    arrays_destroy(batch->internals);
    free(batch);
}

static void describe(
    struct msghdr *header, socket_address *address, const cdg_address *destination, const void *head,
    uint32_t head_length, const void *body, uint32_t body_length) {
    header->msg_iov[0] = (struct iovec){(void *)head, head_length};
    header->msg_iov[1] = (struct iovec){(void *)body, body_length};
    header->msg_iovlen = body_length == 0 ? 1 : 2;
    header->msg_namelen = destination == NULL ? 0 : to_kernel(destination, address);
    header->msg_name = header->msg_namelen == 0 ? NULL : address;
}

void cdg_send_batch_set(
    cdg_send_batch *batch, uint32_t index, const cdg_address *destination, const void *head, uint32_t head_length,
    const void *body, uint32_t body_length) {
    if (index >= batch->capacity) return;
    message_arrays *arrays = batch->internals;
    describe(
        &arrays->headers[index].msg_hdr, &arrays->addresses[index], destination, head, head_length, body, body_length);
}

int cdg_send_batch_flush(int fd, cdg_send_batch *batch, uint32_t first, uint32_t count) {
    message_arrays *arrays = batch->internals;
    if (first >= batch->capacity || count > batch->capacity - first) return -EINVAL;
    int sent = sendmmsg(fd, arrays->headers + first, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int cdg_send(
    int fd, const cdg_address *destination, const void *head, uint32_t head_length, const void *body,
    uint32_t body_length) {
    struct iovec vectors[2];
    socket_address address;
    struct msghdr header = {.msg_iov = vectors};
    describe(&header, &address, destination, head, head_length, body, body_length);
    return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int cdg_read_error(int fd, cdg_error *error) {
    union {
        struct cmsghdr align;
        uint8_t bytes[512];
    } control;
    socket_address address;
    memset(&address, 0, sizeof address);
    struct msghdr header = {
        .msg_name = &address,
        .msg_namelen = sizeof address,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    memset(error, 0, sizeof *error);
    from_kernel(&address.any, header.msg_namelen, &error->destination);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
        bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
        bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        struct sock_extended_err detail;
        if (part->cmsg_len < CMSG_LEN(sizeof detail)) continue;
        memcpy(&detail, CMSG_DATA(part), sizeof detail);
        error->error = (int32_t)detail.ee_errno;
        error->origin = detail.ee_origin;
        error->type = detail.ee_type;
        error->code = detail.ee_code;
        error->info = detail.ee_info;
    }
    return 1;
}
