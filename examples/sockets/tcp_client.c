/* Connects to the server and prints what it says. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address address = {IPV4, .ip4 = {{127, 0, 0, 1}, port(argc, argv)}};
    char text[1024];
    ssize_t total = 0, length;
    printf("[Client] Create socket\n");
    int fd = wasi_socket(INET4, SOCKET_STREAM);
    check(fd < 0, "Create socket");
    printf("[Client] Connect socket\n");
    check(wasi_connect(fd, &address), "Connect");
    printf("[Client] Client receive\n");
    while ((length = read(fd, text + total, sizeof text - 1 - total)) > 0)
        total += length;
    check(length < 0, "Receive");
    text[total] = 0;
    printf("[Client] %zd bytes received:\nBuffer received:\n%s\n[Client] BYE\n", total, text);
    return 0;
}
