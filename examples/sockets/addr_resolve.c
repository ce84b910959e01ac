/* The addresses of a name; only those of IPv4 if anything follows it. */
#include "address.h"

int main(int argc, char **argv)
{
    struct wasi_address_info found[16];
    struct wasi_hints hints = {SOCKET_STREAM, argc > 2 ? INET4 : INET_UNSPEC, 1};
    uint32_t count;
    check(argc < 2, "no name given");
    check(wasi_result(sock_addr_resolve(argv[1], "", &hints, found, 16, &count)), argv[1]);
    printf("Host: %s\n", argv[1]);
    for (uint32_t i = 0; i < count && i < 16; i++)
        printf("IPv%d address: %s (%s)\n", found[i].address.kind == IPV4 ? 4 : 6,
               wasi_name(&found[i].address), found[i].type == SOCKET_STREAM ? "TCP" : "UDP");
    return 0;
}
