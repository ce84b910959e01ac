/* Greets who connects, and ends. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address address = {IPV4, .ip4 = {{0, 0, 0, 0}, port(argc, argv)}};
    printf("[Server] Create socket\n");
    int server = wasi_socket(INET4, SOCKET_STREAM);
    check(server < 0 || wasi_result(sock_set_reuse_addr(server, true)), "Create socket");
    printf("[Server] Bind socket\n");
    check(wasi_bind(server, &address), "Bind");
    printf("[Server] Listening on socket\n");
    check(wasi_listen(server, 3), "Listen");
    printf("[Server] Wait for clients to connect ..\n");
    fflush(stdout);
    int client = wasi_accept(server);
    check(client < 0, "Accept");
    struct wasi_address peer;
    check(wasi_result(sock_addr_remote(client, &peer)), "Peer");
    printf("[Server] Client connected from %s\n", wasi_name(&peer));
    for (int i = 0; i < 5; i++)
        check(write(client, "Say Hi from the Server\n", 23) != 23, "Send");
    close(client);
    printf("[Server] BYE\n");
    return 0;
}
