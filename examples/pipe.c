/* A pipe in C: the child writes a text and ends its stream, the parent reads to the end and answers
 * how much it was.
 *
 * Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock. */
#include <causeway/ipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t kPatience = 5000000000u; /* ns */

static void check(int code, const char* what) {
    if (code == CW_OK)
        return;
    fprintf(stderr, "pipe: %s: %s\n", what, cw_error_text());
    exit(1);
}

static cw_partition* attach(const char* name) {
    cw_attach_options options = {.size = sizeof options, .name = name};
    cw_partition* partition;
    check(cw_partition_attach(&options, &partition), "attach");
    return partition;
}

static void write_all(cw_pipe* pipe, const char* data, size_t length) {
    while (length != 0) {
        size_t written;
        check(cw_pipe_write(pipe, data, length, kPatience, &written), "write");
        data += written;
        length -= written;
    }
}

static void child(void) {
    cw_partition* partition = attach("writer");
    cw_pipe* pipe;
    check(cw_pipe_connect(partition, "reader/text", NULL, kPatience, &pipe), "connect");
    for (int line = 0; line < 10000; ++line)
        write_all(pipe, "one line of a long text\n", 24);
    check(cw_pipe_shutdown(pipe), "shut down"); /* the parent reads the end; it may still answer */
    char answer[64];
    size_t got;
    check(cw_pipe_read(pipe, answer, sizeof answer - 1, kPatience, &got), "read the answer");
    answer[got] = '\0';
    printf("the reader says: %s\n", answer);
    fflush(stdout);
    cw_pipe_close(pipe);
    cw_partition_close(partition);
}

int main(void) {
    cw_partition* partition = attach("reader");
    cw_pipe_listener* listener;
    check(cw_pipe_listen(partition, "text", NULL, &listener), "listen");
    if (fork() == 0) { /* attaches anew: nothing of its parent's partition works in it */
        child();
        return 0;
    }
    cw_pipe* pipe;
    check(cw_pipe_accept(listener, kPatience, &pipe), "accept");
    size_t total = 0, lines = 0;
    for (;;) { /* without a copy: the bytes are counted where they have arrived */
        const void* data;
        size_t length;
        check(cw_pipe_peek(pipe, &data, &length, kPatience), "read");
        if (length == 0)
            break;
        for (size_t i = 0; i < length; ++i)
            lines += ((const char*)data)[i] == '\n';
        total += length;
        check(cw_pipe_consume(pipe, length), "consume");
    }
    char answer[64];
    const int length = snprintf(answer, sizeof answer, "%zu lines, %zu bytes", lines, total);
    write_all(pipe, answer, (size_t)length);
    cw_pipe_close(pipe);
    int status = 1;
    wait(&status);
    return status == 0 ? 0 : 1;
}
