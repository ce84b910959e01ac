/* Sends a datagram and prints the answer. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address address = {IPV4, .ip4 = {{127, 0, 0, 1}, port(argc, argv)}}, peer;
    char text[1024];
    printf("[Client] Create socket\n");
    int fd = wasi_socket(INET4, SOCKET_DGRAM);
    check(fd < 0, "Create socket");
    printf("[Client] Client send\n");
    check(wasi_send_to(fd, "Hello from client", 17, &address) != 17, "Send");
    printf("[Client] Client receive\n");
    ssize_t length = wasi_receive_from(fd, text, sizeof text, &peer);
    check(length < 0, "Receive");
    printf("[Client] Buffer received: %.*s\n[Client] BYE\n", (int)length, text);
    return 0;
}
