/* Answers one datagram. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address address = {IPV4, .ip4 = {{0, 0, 0, 0}, port(argc, argv)}}, peer;
    char text[1024];
    printf("[Server] Create socket\n");
    int fd = wasi_socket(INET4, SOCKET_DGRAM);
    check(fd < 0, "Create socket");
    printf("[Server] Bind socket\n");
    check(wasi_bind(fd, &address), "Bind");
    printf("[Server] Wait for clients to connect ..\n");
    fflush(stdout);
    ssize_t length = wasi_receive_from(fd, text, sizeof text, &peer);
    check(length < 0, "Receive");
    printf("[Server] received %zd bytes from %s:%d: %.*s\n", length, wasi_name(&peer),
           peer.ip4.port, (int)length, text);
    check(wasi_send_to(fd, "Hello from server", 17, &peer) != 17, "Send");
    return 0;
}
