/* A server in one thread, and its client in another. */
#include "address.h"
#include "wasi_thread.h"

static const char text[] = "What goes out by one door\ncomes in by the other:\nnothing is lost\nbetween them\n";
static struct wasi_address address = {IPV4, .ip4 = {{127, 0, 0, 1}, 0}};
static int server, sent;

void thread_main(int number, void *thread)
{
    int client = wasi_accept(server);
    check(client < 0, "Accept");
    sent = write(client, text, sizeof text - 1);
    close(client);
}

int main(void)
{
    static _Alignas(16) char stack[65536];
    static struct wasi_thread thread = {stack + sizeof stack};
    char received[1000];
    ssize_t total = 0, length;

    server = wasi_socket(INET4, SOCKET_STREAM);
    check(wasi_bind(server, &address) || wasi_listen(server, 1), "Listen");
    check(wasi_local(server, &address) || spawn(&thread) < 0, "Start");
    printf("Server is online ...\n");

    int fd = wasi_socket(INET4, SOCKET_STREAM);
    check(wasi_connect(fd, &address), "Connect");
    printf("Client is running...\nStart receiving.\n");
    while ((length = read(fd, received + total, sizeof received - total)) > 0)
        total += length;
    check(length < 0, "Receive");
    printf("Send %d bytes successfully!\nReceive %zd bytes successfully!\nData:\n", sent, total);
    fwrite(received, 1, total, stdout);
    return 0;
}
