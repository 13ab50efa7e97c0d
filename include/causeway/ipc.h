/* Causeway: message queues, pipes, and requests with answers, between the partitions of a host.
 *
 * Part of the stable C ABI of libcauseway.so.1, on top of causeway.h. C++ programs use ipc.hpp, a
 * header-only layer on it. docs/ipc.md says which of the three to take.
 *
 * Threading: each object is used by one thread at a time; different objects by different threads at
 * once. None of them has a thread of its own.
 *
 * Ownership: each object is freed by its close call, before or after its partition's. What it hands
 * out (a message, a request, an answer) is a view into its own memory, valid until it is released
 * or the object is closed.
 *
 * Waiting: every call that may wait takes `timeout_ns`: 0 does not wait (CW_ERROR_AGAIN),
 * UINT64_MAX waits without limit, anything else ends in CW_ERROR_TIMED_OUT. This is also how a
 * sender chooses what happens when the other side is slow: fail at once, wait for so long, or
 * block. How a wait waits is chosen with the object (cw_wait).
 *
 * For an application's own epoll loop each object has one descriptor. From the first call of its
 * cw_..._fd function on, once a call has ended in CW_ERROR_AGAIN or CW_ERROR_TIMED_OUT, the
 * descriptor becomes readable when that call is worth trying again, and stays so until another call
 * ends that way: call until CW_ERROR_AGAIN, then sleep. It may be readable without cause at times,
 * never without end. Descriptors are owned by their objects; only wait on them.
 *
 * Errors: functions return CW_OK or a cw_error; cw_error_text() says what was wrong and what to do.
 * Of any call: CW_ERROR_FORKED, CW_ERROR_INVALID_ARGUMENT. Of what was handed over when an end
 * dies, the receiver still gets all that had reached its buffers.
 */
#ifndef CAUSEWAY_IPC_H
#define CAUSEWAY_IPC_H

#include <causeway/causeway.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What all three kinds may be told; a pointer to it may be NULL where all is to be as by default.
 */
typedef struct cw_ipc_options {
    size_t size; /* sizeof(cw_ipc_options): lets the structure grow */
    /* The listening end says how large a message (a request; a pipe's buffer) may be, in bytes;
     * 0: 4096 (pipe: 32768). At most 64 MiB. At a connecting end: what this end is for at most, so
     * that its memory does not depend on the other end's word; 0: whatever the other end says, as
     * long as the buffers for it take no more than 256 MiB here (LIMIT_REACHED). */
    uint32_t max_message;
    /* The same of an answer. 0: 4096. A client that says less than the server does not connect
     * (LIMIT_REACHED); 0: as above. */
    uint32_t max_answer;
    /* Messages that may be under way, or held by the receiver, per connection: each has a buffer of
     * that size on the receiving side. 0: 256 (pipe: 16). At most 16384; the smaller one of the two
     * ends counts. */
    uint32_t depth;
    cw_wait wait;         /* how this object waits */
    const char* executor; /* NULL or "any", "adapter", "direct" */
} cw_ipc_options;

/* ---- message queues: many senders, one receiver; or, where a sender connects to several
 * receivers, each message to the one that has room. */

typedef struct cw_mq_receiver cw_mq_receiver; /* the receiving end of a message queue */
typedef struct cw_mq_sender cw_mq_sender;     /* its sending end */

/* A received message. */
typedef struct cw_message {
    const void* data;   /* aligned to 64 bytes */
    size_t length;      /* bytes */
    const char* sender; /* its partition's name; valid as long as `data` */
    uint64_t token;     /* the receiver's */
} cw_message;

/* Serves the queue "this partition/service". Errors: NAME_IN_USE, NO_MEMORY, LIMIT_REACHED, DENIED,
 * ADAPTER_GONE. */
CW_API CW_CHECK int cw_mq_receiver_open(cw_partition* partition, const char* service,
                                        const cw_ipc_options* options, cw_mq_receiver** out);
/* Ends the queue: its senders are told PEER_GONE. */
CW_API void cw_mq_receiver_close(cw_mq_receiver* receiver);
/* The next message, of whichever sender: each sender's come in the order in which it sent them.
 * Senders that connect are let in here. Errors: AGAIN, TIMED_OUT, ADAPTER_GONE (for good, and no
 * sender has outlived it). A sender that dies is no error: the others go on. */
CW_API CW_CHECK int cw_mq_receive(cw_mq_receiver* receiver, cw_message* out, uint64_t timeout_ns);
/* Gives a message's buffer back, in any order; `message` is cleared. A message that is held costs
 * its sender that one buffer. Errors: INVALID_ARGUMENT (not a message that is held). */
CW_API int cw_mq_release(cw_mq_receiver* receiver, cw_message* message);
CW_API int cw_mq_receiver_fd(cw_mq_receiver* receiver); /* negative: -cw_error */
/* Senders that are connected now. */
CW_API uint32_t cw_mq_receiver_senders(const cw_mq_receiver* receiver);

/* Connects to the queue "partition/service". It is let in when its receiver next receives, or waits
 * to. With timeout_ns 0 this only begins: sends say AGAIN until then. Errors: NOT_FOUND (no such
 * partition or queue), DENIED, TIMED_OUT (nothing is made), PROTOCOL (there is something else than
 * a message queue), LIMIT_REACHED, NO_MEMORY, and with timeout_ns 0 AGAIN (nothing is made: the
 * partition has not come back yet to an adapter that was restarted). */
CW_API CW_CHECK int cw_mq_sender_open(cw_partition* partition, const char* target,
                                      const cw_ipc_options* options, uint64_t timeout_ns,
                                      cw_mq_sender** out);
/* Waits up to a second for messages that are still on their way; then ends the connections. */
CW_API void cw_mq_sender_close(cw_mq_sender* sender);
/* One more receiver, for instance another worker: from now on each message goes to the next
 * receiver in turn that has room. Errors as above; on TIMED_OUT connecting goes on. */
CW_API CW_CHECK int cw_mq_sender_add(cw_mq_sender* sender, const char* target, uint64_t timeout_ns);
/* Sends a copy of `length` bytes at `data`. CW_OK: the receiver has a buffer for the message, and
 * it will get it without anything more from here, unless this process dies first. Errors: AGAIN and
 * TIMED_OUT (no receiver has room: nothing was sent), INVALID_ARGUMENT (longer than the receiver
 * allows), PEER_GONE (the last receiver has gone; messages that it had not taken are lost),
 * ADAPTER_GONE. */
CW_API CW_CHECK int cw_mq_send(cw_mq_sender* sender, const void* data, size_t length,
                               uint64_t timeout_ns);
CW_API int cw_mq_sender_fd(cw_mq_sender* sender); /* readable: sending is worth trying again */
/* Receivers that are connected now, and the largest message in bytes that all of them take (0: none
 * is connected yet). */
CW_API uint32_t cw_mq_sender_receivers(const cw_mq_sender* sender);
CW_API size_t cw_mq_sender_max_message(const cw_mq_sender* sender); /* that size */

/* ---- pipes: a stream of bytes each way, each of which ends by itself */

typedef struct cw_pipe_listener cw_pipe_listener; /* where pipes are accepted */
typedef struct cw_pipe cw_pipe;                   /* one end of a pipe */

/* Serves pipes at "this partition/service". `max_message` is the size of a buffer, `depth` their
 * number each way: so much may be written that is not read. Errors: as cw_mq_receiver_open. */
CW_API CW_CHECK int cw_pipe_listen(cw_partition* partition, const char* service,
                                   const cw_ipc_options* options, cw_pipe_listener** out);
/* Ends the service; pipes that were accepted go on. */
CW_API void cw_pipe_listener_close(cw_pipe_listener* listener);
CW_API int cw_pipe_listener_fd(cw_pipe_listener* listener); /* negative: -cw_error */
/* The next one who connects; the pipe outlives its listener. Errors: AGAIN, TIMED_OUT, NO_MEMORY,
 * LIMIT_REACHED, ADAPTER_GONE. */
CW_API CW_CHECK int cw_pipe_accept(cw_pipe_listener* listener, uint64_t timeout_ns, cw_pipe** out);
/* Connects to "partition/service". Errors: as cw_mq_sender_open. */
CW_API CW_CHECK int cw_pipe_connect(cw_partition* partition, const char* target,
                                    const cw_ipc_options* options, uint64_t timeout_ns,
                                    cw_pipe** out);
/* Ends writing, as cw_pipe_shutdown does, waits up to a second for what is on its way to reach the
 * other end's buffers, and ends the connection. */
CW_API void cw_pipe_close(cw_pipe* pipe);
/* Writes a copy of up to `length` bytes at `data`, waiting for room; *written says how many. CW_OK
 * with fewer than `length` where the time was over, or the other end gone, after some. Errors, with
 * nothing written: AGAIN, TIMED_OUT, PEER_GONE, WRONG_STATE (after cw_pipe_shutdown), ADAPTER_GONE.
 */
CW_API CW_CHECK int cw_pipe_write(cw_pipe* pipe, const void* data, size_t length,
                                  uint64_t timeout_ns, size_t* written);
/* Reads at least one byte and at most `length` (which is not 0); *got says how many. CW_OK with
 * *got 0 is the end of the stream: the other end has shut down writing, and everything was read.
 * Errors: AGAIN, TIMED_OUT, PEER_GONE (it has gone without ending its stream; all that had arrived
 * was read), ADAPTER_GONE. */
CW_API CW_CHECK int cw_pipe_read(cw_pipe* pipe, void* data, size_t length, uint64_t timeout_ns,
                                 size_t* got);
/* The same without a copy: what comes next stands at *data, *length bytes of it (0: the end of the
 * stream), until as much of it as is wanted is consumed. Errors: as cw_pipe_read. */
CW_API CW_CHECK int cw_pipe_peek(cw_pipe* pipe, const void** data, size_t* length,
                                 uint64_t timeout_ns);
/* Errors: INVALID_ARGUMENT (more than cw_pipe_peek has shown). */
CW_API CW_CHECK int cw_pipe_consume(cw_pipe* pipe, size_t length);
/* Half-close: the other end reads what was written, and then the end of the stream; reading here
 * goes on. Once more does nothing. Errors: AGAIN (the connection is not made yet), PEER_GONE,
 * ADAPTER_GONE. */
CW_API CW_CHECK int cw_pipe_shutdown(cw_pipe* pipe);
/* Readable when the one of reading and writing that said AGAIN last is worth trying again. */
CW_API int cw_pipe_fd(cw_pipe* pipe);
CW_API const char* cw_pipe_peer(const cw_pipe* pipe); /* partition; valid as long as the pipe */

/* ---- requests and answers: a server, and clients with several requests outstanding */

typedef struct cw_rpc_server cw_rpc_server; /* answers requests */
typedef struct cw_rpc_client cw_rpc_client; /* asks a server */

/* A request, as the server has it. */
typedef struct cw_request {
    const void* data;   /* aligned to 64 bytes */
    size_t length;      /* bytes */
    const char* client; /* its partition's name; valid as long as `data` */
    uint64_t token;     /* the server's */
    uint32_t tag;       /* the client's */
    uint32_t reserved;  /* 0 */
} cw_request;

/* What came of a request. */
typedef struct cw_answer {
    const void* data; /* NULL where there is an error; else aligned to 64 bytes */
    size_t length;    /* bytes */
    uint64_t user;    /* as given with the request */
    int error; /* CW_OK; TIMED_OUT (its deadline has passed), PEER_GONE (the server has gone),
                  UNSUPPORTED (the server let go of it without an answer), ADAPTER_GONE */
    uint32_t reserved; /* 0 */
    uint64_t token;    /* the client's */
} cw_answer;

/* Serves "this partition/service". Errors: as cw_mq_receiver_open. */
CW_API CW_CHECK int cw_rpc_server_open(cw_partition* partition, const char* service,
                                       const cw_ipc_options* options, cw_rpc_server** out);
/* Waits up to a second for answers that are still on their way; then ends the service: its clients
 * are told PEER_GONE. */
CW_API void cw_rpc_server_close(cw_rpc_server* server);
/* The next request of whichever client. Clients that connect are let in here. Requests may be
 * answered in any order; one that is held costs its client one of the requests it may have
 * outstanding. Errors: AGAIN, TIMED_OUT, ADAPTER_GONE. */
CW_API CW_CHECK int cw_rpc_next(cw_rpc_server* server, cw_request* out, uint64_t timeout_ns);
/* Answers a request with a copy of `length` bytes at `data`, and releases it, but for an error of
 * INVALID_ARGUMENT (longer than max_answer, or not a request that is held). PEER_GONE: its client
 * has gone. */
CW_API CW_CHECK int cw_rpc_reply(cw_rpc_server* server, cw_request* request, const void* data,
                                 size_t length);
/* Releases a request without an answer: its client is told so (UNSUPPORTED). */
CW_API int cw_rpc_drop(cw_rpc_server* server, cw_request* request);
CW_API int cw_rpc_server_fd(cw_rpc_server* server); /* negative: -cw_error */
/* Clients that are connected now. */
CW_API uint32_t cw_rpc_server_clients(const cw_rpc_server* server);

/* Connects to the server "partition/service". Errors: as cw_mq_sender_open. */
CW_API CW_CHECK int cw_rpc_client_open(cw_partition* partition, const char* target,
                                       const cw_ipc_options* options, uint64_t timeout_ns,
                                       cw_rpc_client** out);
/* Ends the connection; requests without an answer are given up. */
CW_API void cw_rpc_client_close(cw_rpc_client* client);
/* Sends a request and waits for its answer, to be released after use. Answers to other requests are
 * kept for cw_rpc_finish. Errors: those of cw_answer, INVALID_ARGUMENT (longer than the server
 * allows); `out` is then cleared. */
CW_API CW_CHECK int cw_rpc_call(cw_rpc_client* client, const void* data, size_t length,
                                uint64_t timeout_ns, cw_answer* out);
/* Sends a request without waiting. Its outcome comes by cw_rpc_finish, at the latest when
 * `deadline_ns` from now have passed; an answer that comes later is dropped, but what the server
 * still holds counts as outstanding. Errors: AGAIN (`depth` requests are outstanding, or their
 * answers not released), INVALID_ARGUMENT, PEER_GONE, ADAPTER_GONE. */
CW_API CW_CHECK int cw_rpc_start(cw_rpc_client* client, const void* data, size_t length,
                                 uint64_t deadline_ns, uint64_t user);
/* The outcome of one of the requests that were started, in the order in which they come: CW_OK also
 * where that is an error (cw_answer.error). Errors: AGAIN, TIMED_OUT (of this wait), WRONG_STATE
 * (no request is outstanding). */
CW_API CW_CHECK int cw_rpc_finish(cw_rpc_client* client, cw_answer* out, uint64_t timeout_ns);
/* Gives an answer's buffer back, in any order; `answer` is cleared. One without data needs none. */
CW_API int cw_rpc_release(cw_rpc_client* client, cw_answer* answer);
/* Readable when finishing, or after AGAIN of cw_rpc_start starting, is worth trying: also when a
 * deadline has passed. */
CW_API int cw_rpc_client_fd(cw_rpc_client* client);

#ifdef __cplusplus
}
#endif
#endif
