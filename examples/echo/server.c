/* Sends back what it gets, to one client after the other. */
#include <stdio.h>
#include <unistd.h>
#include "wasi_socket.h"

int main(void)
{
    int server = wasi_socket(INET4, SOCKET_STREAM);
    struct wasi_address address = {IPV4, .ip4 = {{127, 0, 0, 1}, 0}};
    if (server < 0 || wasi_bind(server, &address) || wasi_listen(server, 4)) {
        perror("cannot listen");
        return 1;
    }
    wasi_local(server, &address);
    printf("%d\n", address.ip4.port);
    fflush(stdout);
    for (;;) {
        char data[4096];
        ssize_t length;
        int client = wasi_accept(server);
        if (client < 0)
            return 1;
        while ((length = read(client, data, sizeof data)) > 0)
            if (write(client, data, length) != length)
                break;
        close(client);
    }
}
