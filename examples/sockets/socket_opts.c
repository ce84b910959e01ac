/* Sets options of sockets and reads them again. */
#include "address.h"

#define EXPECT(name, is)                                             \
    printf("%s is %s\n", name, (is) ? "expected" : "not as it was set"); \
    failed += !(is)
#define TEST(type, fd, name, given)                                  \
    {                                                                \
        type value = given, found = 0;                               \
        int error = sock_set_##name(fd, value);                      \
        error = error ? error : sock_get_##name(fd, &found);         \
        EXPECT(#name, !error && found == value);                     \
    }
#define TEST_BOTH(fd, name) TEST(bool, fd, name, true) TEST(bool, fd, name, false)

int main(void)
{
    int failed = 0, seconds = 0;
    bool on = false;
    printf("[Client] Create TCP socket\n");
    int tcp = wasi_socket(INET4, SOCKET_STREAM);
    printf("[Client] Create UDP socket\n");
    int udp = wasi_socket(INET4, SOCKET_DGRAM);
    printf("[Client] Create UDP IPv6 socket\n");
    int udp6 = wasi_socket(INET6, SOCKET_DGRAM);

    TEST(uint64_t, tcp, recv_timeout, 123000001)
    TEST(uint64_t, tcp, send_timeout, 456000002)
    TEST_BOTH(tcp, keep_alive)
    TEST_BOTH(tcp, reuse_addr)
    TEST_BOTH(tcp, reuse_port)
    TEST_BOTH(udp, broadcast)
    TEST(uint32_t, tcp, tcp_keep_idle, 16)
    TEST(uint32_t, tcp, tcp_keep_intvl, 8)
    TEST_BOTH(tcp, tcp_fastopen_connect)
    TEST_BOTH(tcp, tcp_no_delay)
    TEST(uint8_t, tcp, ip_ttl, 8)
    TEST_BOTH(udp6, ipv6_only)
    TEST(uint8_t, udp, ip_multicast_ttl, 8)
    EXPECT("linger", !sock_set_linger(tcp, true, 10) && !sock_get_linger(tcp, &on, &seconds)
                         && on && seconds == 10);
    EXPECT("ip_multicast_loop", !sock_set_ip_multicast_loop(udp, false, false)
                                    && !sock_get_ip_multicast_loop(udp, false, &on) && !on);
    printf("[Client] Close sockets\n");
    close(tcp), close(udp), close(udp6);
    return failed;
}
