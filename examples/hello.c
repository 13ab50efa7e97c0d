/* Hello in C: the child sends a line to its parent.
 *
 * Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock. */
#include <causeway/causeway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t kPatience = 5000000000u; /* ns */

static void check(int code, const char* what) {
    if (code == CW_OK)
        return;
    fprintf(stderr, "hello: %s: %s\n", what, cw_error_text());
    exit(1);
}

/* What both ends need. They are never closed here: the end of a process closes everything. */
struct end {
    cw_partition* partition;
    cw_region* memory;
    cw_completion_queue* queue;
    cw_queue_pair* pair;
};

static void attach(struct end* end, const char* name) {
    cw_attach_options options = {.size = sizeof options, .name = name};
    check(cw_partition_attach(&options, &end->partition), "attach");
    check(cw_region_allocate(end->partition, 4096, CW_ACCESS_LOCAL, 0, &end->memory), "allocate");
    check(cw_completion_queue_create(end->partition, 64, &end->queue), "create queue");
    cw_queue_pair_options pair = {.size = sizeof pair, .completions = end->queue};
    check(cw_queue_pair_create(end->partition, &pair, &end->pair), "create queue pair");
}

static cw_slice slice(const struct end* end, uint32_t length) {
    cw_slice s = {cw_region_data(end->memory), length, cw_region_handle(end->memory)};
    return s;
}

static cw_completion await(const struct end* end) {
    cw_completion completion;
    int count = cw_completion_queue_wait(end->queue, &completion, 1, kPatience, CW_WAIT_ADAPTIVE);
    if (count != 1 || completion.status != CW_SUCCESS) {
        fprintf(stderr, "hello: %s\n",
                count == 1 ? cw_status_name((int)completion.status) : "nothing came");
        exit(1);
    }
    return completion;
}

int main(void) {
    struct end here;
    cw_listener* listener;
    attach(&here, "parent");
    check(cw_listen(here.partition, "hello", 1, &listener), "listen");

    pid_t child = fork();
    if (child == 0) { /* attaches anew: nothing of its parent's partition works in it */
        struct end there;
        attach(&there, "child");
        check(cw_queue_pair_connect(there.pair, "parent/hello", kPatience), "connect");
        strcpy(cw_region_data(there.memory), "hello, world");
        cw_slice line = slice(&there, sizeof "hello, world");
        check(cw_post_send(there.pair, &line, 1, 1, 0, 0), "send");
        await(&there);
        _exit(0);
    }
    cw_slice line = slice(&here, 4096);
    check(cw_post_receive(here.pair, &line, 1, 1), "post receive");
    check(cw_accept(listener, here.pair, kPatience), "accept");
    cw_completion received = await(&here);
    printf("%s (%u bytes)\n", (const char*)line.address, received.length);
    int status = 0;
    waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
}
