/* Receives from somebody who says nothing, and sends to somebody who does not listen. */
#include "address.h"

int main(void)
{
    static char data[1 << 20];
    struct wasi_address address = {IPV4, .ip4 = {{127, 0, 0, 1}, 0}};
    int server = wasi_socket(INET4, SOCKET_STREAM), fd = wasi_socket(INET4, SOCKET_STREAM);
    check(wasi_bind(server, &address) || wasi_listen(server, 1), "Listen");
    check(wasi_local(server, &address) || wasi_connect(fd, &address), "Connect");
    sock_set_recv_timeout(fd, 100000);
    sock_set_send_timeout(fd, 100000);
    printf("Waiting on recv, which should timeout\n");
    check(read(fd, data, 1) != -1 || errno != EAGAIN, "Receive");
    printf("Waiting on send, which should timeout\n");
    ssize_t sent = 0;
    while ((sent = write(fd, data, sizeof data)) > 0)
        ;
    check(sent != -1 || errno != EAGAIN, "Send");
    printf("Success. Closing socket\n");
    return 0;
}
