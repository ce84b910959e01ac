/* Sockets for programs in WebAssembly: the functions that WAMR adds to WASI, which have an errno as
 * their result, and, below, the same as POSIX has them: -1 and `errno`. */
#ifndef WASI_SOCKET_H
#define WASI_SOCKET_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { SOCKET_ANY = -1, SOCKET_DGRAM, SOCKET_STREAM };
enum { INET4, INET6, INET_UNSPEC };
enum { IPV4, IPV6 };

/* All numbers are in the order of this machine: n[0] is the first byte or number of the address. */
struct wasi_address {
    uint32_t kind;
    union {
        struct {
            uint8_t n[4];
            uint16_t port;
        } ip4;
        struct {
            uint16_t n[8];
            uint16_t port;
        } ip6;
    };
};

struct wasi_group {
    uint32_t kind;
    union {
        uint8_t ip4[4];
        uint16_t ip6[8];
    };
};

struct wasi_address_info {
    struct wasi_address address;
    int32_t type;
};

struct wasi_hints {
    int32_t type, family;
    uint8_t enabled;
};

struct wasi_buffer {
    void *data;
    uint32_t length;
};

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
#define OPTION(name, type)                               \
    WASI(sock_get_##name) int sock_get_##name(int fd, type *value); \
    WASI(sock_set_##name) int sock_set_##name(int fd, type value);

WASI(sock_open) int sock_open(int pool, int family, int type, int *fd);
WASI(sock_bind) int sock_bind(int fd, const struct wasi_address *address);
WASI(sock_listen) int sock_listen(int fd, int backlog);
WASI(sock_accept) int sock_accept(int fd, int flags, int *connection);
WASI(sock_connect) int sock_connect(int fd, const struct wasi_address *address);
WASI(sock_addr_local) int sock_addr_local(int fd, struct wasi_address *address);
WASI(sock_addr_remote) int sock_addr_remote(int fd, struct wasi_address *address);
WASI(sock_send_to)
int sock_send_to(int fd, const struct wasi_buffer *data, uint32_t count, int flags,
                 const struct wasi_address *address, uint32_t *sent);
WASI(sock_recv_from)
int sock_recv_from(int fd, const struct wasi_buffer *data, uint32_t count, int flags,
                   struct wasi_address *sender, uint32_t *received);
WASI(sock_addr_resolve)
int sock_addr_resolve(const char *host, const char *service, const struct wasi_hints *hints,
                      struct wasi_address_info *found, uint32_t size, uint32_t *count);
OPTION(recv_timeout, uint64_t)
OPTION(send_timeout, uint64_t)
OPTION(recv_buf_size, uint32_t)
OPTION(send_buf_size, uint32_t)
OPTION(keep_alive, bool)
OPTION(reuse_addr, bool)
OPTION(reuse_port, bool)
OPTION(broadcast, bool)
OPTION(tcp_no_delay, bool)
OPTION(tcp_quick_ack, bool)
OPTION(tcp_fastopen_connect, bool)
OPTION(tcp_keep_idle, uint32_t)
OPTION(tcp_keep_intvl, uint32_t)
OPTION(ip_ttl, uint8_t)
OPTION(ip_multicast_ttl, uint8_t)
OPTION(ipv6_only, bool)
WASI(sock_get_linger) int sock_get_linger(int fd, bool *on, int *seconds);
WASI(sock_set_linger) int sock_set_linger(int fd, bool on, int seconds);
WASI(sock_get_ip_multicast_loop) int sock_get_ip_multicast_loop(int fd, bool ipv6, bool *on);
WASI(sock_set_ip_multicast_loop) int sock_set_ip_multicast_loop(int fd, bool ipv6, bool on);
WASI(sock_set_ip_add_membership)
int sock_set_ip_add_membership(int fd, const struct wasi_group *group, uint32_t interface);
WASI(sock_set_ip_drop_membership)
int sock_set_ip_drop_membership(int fd, const struct wasi_group *group, uint32_t interface);

/* `error` as POSIX has it. */
static inline int wasi_result(int error)
{
    errno = error;
    return error ? -1 : 0;
}

static inline int wasi_socket(int family, int type)
{
    int fd;
    return wasi_result(sock_open(-1, family, type, &fd)) ? -1 : fd;
}

static inline int wasi_bind(int fd, const struct wasi_address *address)
{
    return wasi_result(sock_bind(fd, address));
}

static inline int wasi_listen(int fd, int backlog)
{
    return wasi_result(sock_listen(fd, backlog));
}

static inline int wasi_accept(int fd)
{
    int connection;
    return wasi_result(sock_accept(fd, 0, &connection)) ? -1 : connection;
}

static inline int wasi_connect(int fd, const struct wasi_address *address)
{
    return wasi_result(sock_connect(fd, address));
}

static inline int wasi_local(int fd, struct wasi_address *address)
{
    return wasi_result(sock_addr_local(fd, address));
}

static inline ssize_t wasi_send_to(int fd, const void *data, size_t length,
                                   const struct wasi_address *address)
{
    struct wasi_buffer buffer = {(void *)data, length};
    uint32_t sent;
    return wasi_result(sock_send_to(fd, &buffer, 1, 0, address, &sent)) ? -1 : (ssize_t)sent;
}

static inline ssize_t wasi_receive_from(int fd, void *data, size_t length,
                                        struct wasi_address *sender)
{
    struct wasi_buffer buffer = {data, length};
    uint32_t received;
    int error = sock_recv_from(fd, &buffer, 1, 0, sender, &received);
    return wasi_result(error) ? -1 : (ssize_t)received;
}

/* The address in words: 127.0.0.1 or ::1. There is room for four at a time. */
static inline const char *wasi_name(const struct wasi_address *address)
{
    static char names[4][40], next;
    char *name = names[next++ & 3];
    const uint8_t *n = address->ip4.n;
    const uint16_t *g = address->ip6.n;
    if (address->kind == IPV4)
        snprintf(name, 40, "%d.%d.%d.%d", n[0], n[1], n[2], n[3]);
    else
        snprintf(name, 40, "%x:%x:%x:%x:%x:%x:%x:%x", g[0], g[1], g[2], g[3], g[4], g[5], g[6],
                 g[7]);
    return name;
}

#endif
