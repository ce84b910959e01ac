/* Joins a group and prints what is sent to it. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address any = {IPV4, .ip4 = {{0, 0, 0, 0}, port(argc, argv)}};
    struct wasi_group group = {IPV4, .ip4 = {224, 0, 0, 101}};
    uint8_t here[] = {127, 0, 0, 1};
    uint32_t interface;
    char text[1024];
    memcpy(&interface, here, 4);
    int fd = wasi_socket(INET4, SOCKET_DGRAM);
    check(fd < 0 || wasi_bind(fd, &any), "Bind");
    check(wasi_result(sock_set_ip_add_membership(fd, &group, interface)), "Join");
    printf("Joined multicast group. Waiting for datagram...\n");
    fflush(stdout);
    ssize_t length = read(fd, text, sizeof text);
    check(length < 0, "Receive");
    printf("Reading datagram message...OK.\nThe message from multicast server is: \"%.*s\"\n",
           (int)length, text);
    return 0;
}
