/* Causeway: memory-speed transfers between the partitions of a host.
 *
 * The stable C ABI of libcauseway.so.1. C++ programs use causeway.hpp, a header-only layer on it.
 *
 * Threading: a partition's control calls (everything that takes cw_partition) may be made from any
 * thread. A completion queue and the queue pairs that complete to it belong to one thread at a
 * time; different completion queues may be used by different threads at once.
 *
 * Ownership: every object is freed by its own close call; closing a partition ends everything that
 * was made from it, after which only the close calls of those objects may still be made.
 *
 * Errors: functions return CW_OK or a cw_error; cw_error_text() then says, for the calling thread,
 * what was wrong and what to do. Nothing here throws, aborts or blocks unless it says so; but where
 * the adapter has died, control calls wait for the next one, as long as the partition's patience.
 *
 * Fork: after fork() every call in the child fails with CW_ERROR_FORKED and the parent is
 * undisturbed; the child may attach anew.
 */
#ifndef CAUSEWAY_H
#define CAUSEWAY_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
/* Leaves the library. */
#define CW_API __attribute__((visibility("default")))
/* Its result must be looked at. */
#define CW_CHECK __attribute__((warn_unused_result))
#else
#define CW_API
#define CW_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. */
typedef enum cw_error {
    CW_OK = 0,
    CW_ERROR_INVALID_ARGUMENT = 1,
    CW_ERROR_NO_ADAPTER = 2, /* nothing listens at the socket path */
    CW_ERROR_DENIED = 3,
    CW_ERROR_NAME_IN_USE = 4,
    CW_ERROR_NOT_FOUND = 5,
    CW_ERROR_NO_MEMORY = 6,
    CW_ERROR_LIMIT_REACHED = 7,
    CW_ERROR_TIMED_OUT = 8,
    CW_ERROR_AGAIN = 9, /* nothing there yet, or a queue is full */
    CW_ERROR_PEER_GONE = 10,
    CW_ERROR_PROTOCOL = 11,
    CW_ERROR_VERSION = 12,
    CW_ERROR_FORKED = 13,
    CW_ERROR_SYSTEM = 14,
    CW_ERROR_WRONG_STATE = 15,
    CW_ERROR_ADAPTER_GONE = 16,
    CW_ERROR_UNSUPPORTED = 17
} cw_error;

/* How a descriptor ended. */
typedef enum cw_status {
    CW_SUCCESS = 0,
    CW_LOCAL_LENGTH = 1,
    CW_LOCAL_PROTECTION = 2,
    CW_REMOTE_ACCESS = 3,
    CW_REMOTE_LENGTH = 4,
    CW_RECEIVER_NOT_READY = 5,
    CW_BAD_DESCRIPTOR = 6,
    CW_FLUSHED = 7,
    CW_PEER_GONE = 8,
    CW_DENIED = 9
} cw_status;

/* What kind of transfer a completion is of. */
typedef enum cw_opcode {
    CW_SEND = 1,
    CW_RECEIVE = 2,
    CW_WRITE = 3,
    CW_READ = 4,
    CW_APPEND = 5,
    CW_NOP = 6
} cw_opcode;

/* Rights of a region (bits). Its owner may always use it as a local buffer. */
#define CW_ACCESS_LOCAL 0u
#define CW_ACCESS_REMOTE_WRITE 1u /* peers may write into it */
#define CW_ACCESS_REMOTE_READ 2u  /* peers may read it */
#define CW_ACCESS_APPEND 4u       /* peers may append to it */
#define CW_ACCESS_EXPORTABLE 8u   /* direct peers may map all of it (docs/security.md) */

/* Flags of cw_region_allocate. */
#define CW_HUGE_PAGES 1u /* fails with CW_ERROR_NO_MEMORY where the system has none free */
#define CW_ZERO_BASED 2u /* remote addresses count from 0 instead of the owner's pointer */

/* Flags of a post. */
#define CW_UNSIGNALED 1u /* no completion on success */
#define CW_FENCE 2u      /* flushed if a descriptor since the previous fence has failed */
#define CW_IMMEDIATE 4u  /* deliver `immediate`; a Write then consumes a posted receive */

typedef struct cw_partition cw_partition;               /* a member of the fabric */
typedef struct cw_region cw_region;                     /* registered memory */
typedef struct cw_completion_queue cw_completion_queue; /* where completions arrive */
typedef struct cw_queue_pair cw_queue_pair;             /* one end of a connection */
typedef struct cw_listener cw_listener;                 /* a service that is offered */
typedef struct cw_segment cw_segment;                   /* named shared storage */
typedef struct cw_bus cw_bus;                           /* a look at the controllers */

/* A piece of a local region: `length` bytes at `address` (a pointer into it). */
typedef struct cw_slice {
    void* address;   /* of its first byte */
    uint32_t length; /* bytes */
    uint32_t handle; /* of the region, see cw_region_handle */
} cw_slice;

/* A place in a region of the peer, as its owner made it known. */
typedef struct cw_remote {
    uint32_t handle;     /* of the region */
    uint32_t generation; /* of that handle */
    uint64_t address;    /* ignored by Append */
} cw_remote;

/* How one posted descriptor ended. */
typedef struct cw_completion {
    uint64_t id;               /* given with the post */
    cw_queue_pair* queue_pair; /* on which it was posted */
    void* user;                /* of that queue pair */
    uint32_t status;           /* cw_status */
    uint32_t opcode;    /* cw_opcode; a receive consumed by Write with immediate says CW_WRITE */
    uint32_t length;    /* bytes moved */
    uint32_t immediate; /* valid if has_immediate */
    uint32_t has_immediate; /* 1: a number came beside the data */
    uint32_t reserved;      /* 0 */
    uint64_t offset;        /* Append: where in the destination region the data begins */
} cw_completion;

/* ---- general */

CW_API const char* cw_version_string(void);    /* of the library, such as "0.1.0" */
CW_API const char* cw_error_name(int error);   /* "denied", ... */
CW_API const char* cw_status_name(int status); /* "remote_access", ... */
/* Text of the calling thread's last error; valid until its next failing call. Never NULL. */
CW_API const char* cw_error_text(void);

/* How this process copies large messages itself, by the direct executor: the thresholds in use in
 * words, where they come from ("built in", or a file that `causeway calibrate` wrote), and why a
 * file that is there is not used ("" where there is no such trouble). Never NULL; valid as long as
 * the process lives. The file is looked for once: $CAUSEWAY_COPIES,
 * $XDG_CONFIG_HOME/causeway/copies
 * (~/.config/causeway/copies), /etc/causeway/copies. */
CW_API const char* cw_copies_text(void);
CW_API const char* cw_copies_source(void);  /* where they come from */
CW_API const char* cw_copies_problem(void); /* why a file that is there is not used */

/* ---- partition */

/* How to join the fabric. */
typedef struct cw_attach_options {
    size_t size;        /* sizeof(cw_attach_options): lets the structure grow */
    const char* socket; /* NULL: $CAUSEWAY_SOCKET, /run/causeway/fabric.sock,
                           $XDG_RUNTIME_DIR/causeway/fabric.sock, in this order */
    const char* name;   /* of the partition; NULL on a named entrance: the entrance's */
    /* How long the partition waits for the next adapter when this one dies, before everything ends
     * with CW_ERROR_ADAPTER_GONE (docs/failure.md). 0: $CAUSEWAY_ADAPTER_PATIENCE (in seconds), or
     * 10 s; CW_NO_PATIENCE: it does not wait. */
    uint64_t adapter_patience_ns;
} cw_attach_options;

#define CW_NO_PATIENCE 1u /* as adapter_patience_ns: does not wait */

/* Joins the fabric. Errors: NO_ADAPTER, DENIED, NAME_IN_USE, VERSION, INVALID_ARGUMENT. */
CW_API CW_CHECK int cw_partition_attach(const cw_attach_options* options, cw_partition** out);
/* Leaves it. Everything that was made from the partition ends. */
CW_API void cw_partition_close(cw_partition* partition);
/* The name that the adapter knows it by, and the path of the socket by which it came; valid until
 * the partition is closed. */
CW_API const char* cw_partition_name(const cw_partition* partition);
CW_API const char* cw_partition_socket(const cw_partition* partition); /* that path */
/* Becomes readable when the partition has an event (a connection is wanted, a queue pair changed
 * its state): for an application's own epoll loop. Level-triggered; cw_partition_process_events
 * clears it. Owned by the partition. */
CW_API int cw_partition_event_fd(const cw_partition* partition);
/* Deals with the events that there are, without waiting. Errors: ADAPTER_GONE. */
CW_API CW_CHECK int cw_partition_process_events(cw_partition* partition);

/* ---- regions */

/* Allocates `size` bytes (rounded up to pages) of registered memory, filled with zeros.
 * Errors: NO_MEMORY, LIMIT_REACHED, INVALID_ARGUMENT, ADAPTER_GONE. Takes milliseconds. */
CW_API CW_CHECK int cw_region_allocate(cw_partition* partition, size_t size, uint32_t access,
                                       uint32_t flags, cw_region** out);
/* Turns page-aligned private memory of the caller into a region at the same address: its content is
 * moved into shareable memory and mapped back in place. Nobody else may touch it meanwhile. When
 * the region is closed the memory stays mapped and usable, with its content. */
CW_API CW_CHECK int cw_region_adopt(cw_partition* partition, void* address, size_t size,
                                    uint32_t access, uint32_t flags, cw_region** out);
/* Deregisters (effective when it returns: the adapter no longer reaches the memory) and frees. */
CW_API int cw_region_close(cw_region* region);
/* The same for peers, but the memory stays the caller's until cw_region_close. *granted becomes 1
 * where a direct peer had been given the memory and so still reaches it (docs/security.md). */
CW_API CW_CHECK int cw_region_deregister(cw_region* region, int* granted);
/* Takes rights away: `access` is what stays of those it was registered with. Effective when it
 * returns, as deregistering is, also against a move in progress. An exportable region to which
 * peers append stays exportable. Errors: INVALID_ARGUMENT. */
CW_API CW_CHECK int cw_region_narrow(cw_region* region, uint32_t access, int* granted);
CW_API void* cw_region_data(const cw_region* region);      /* its first byte */
CW_API size_t cw_region_size(const cw_region* region);     /* in bytes */
CW_API uint32_t cw_region_handle(const cw_region* region); /* for cw_slice */
/* What a peer needs to reach the byte at `offset`. */
CW_API cw_remote cw_region_remote(const cw_region* region, size_t offset);
/* Where the next Append of a peer will go, in bytes from the region's start. */
CW_API CW_CHECK int cw_region_append_offset(cw_region* region, uint64_t* offset);

/* ---- completion queues */

/* `entries`, at most 1048576, is a hint: every queue pair brings room for all that it can have
 * outstanding. Errors: LIMIT_REACHED, INVALID_ARGUMENT. */
CW_API CW_CHECK int cw_completion_queue_create(cw_partition* partition, uint32_t entries,
                                               cw_completion_queue** out);
/* Frees it. Close the queue pairs that complete to it first. */
CW_API void cw_completion_queue_close(cw_completion_queue* queue);
/* Takes up to `most` completions without waiting; returns their number, or -cw_error. */
CW_API int cw_completion_queue_poll(cw_completion_queue* queue, cw_completion* out, int most);

/* How to wait for completions. */
typedef enum cw_wait {
    CW_WAIT_ADAPTIVE = 0, /* spin briefly, then sleep */
    CW_WAIT_SPIN = 1,     /* spin, yielding where others need the core */
    CW_WAIT_BLOCK = 2     /* sleep at once */
} cw_wait;
/* As poll, but waits until there is one, at most `timeout_ns` (UINT64_MAX: without limit); 0 on
 * time-out. */
CW_API int cw_completion_queue_wait(cw_completion_queue* queue, cw_completion* out, int most,
                                    uint64_t timeout_ns, cw_wait how);
/* For an application's own epoll loop: arm, and if nothing was there already (returns 0; 1: poll
 * first), sleep until the descriptor is readable, then poll again. */
CW_API int cw_completion_queue_fd(const cw_completion_queue* queue);
/* 0: sleep; 1: poll first; or -cw_error. */
CW_API CW_CHECK int cw_completion_queue_arm(cw_completion_queue* queue);

/* ---- queue pairs */

/* What a send does while the peer has posted no receive: waits, fails with CW_RECEIVER_NOT_READY,
 * or waits for a while and then fails so. */
typedef enum cw_patience { CW_BLOCK = 0, CW_FAIL = 1, CW_BOUNDED = 2 } cw_patience;

/* How a queue pair is made. */
typedef struct cw_queue_pair_options {
    size_t size;                      /* sizeof(cw_queue_pair_options) */
    cw_completion_queue* completions; /* required */
    uint32_t send_entries;            /* 0: 64; powers of two */
    uint32_t receive_entries;         /* 0: 64 */
    cw_patience patience;             /* when the peer has posted no receive */
    uint64_t patience_ns;             /* CW_BOUNDED: how long */
    void* user;                       /* returned in completions */
    const char* executor;             /* NULL or "any", "adapter", "direct" */
} cw_queue_pair_options;

/* How far a queue pair's connection is. */
typedef enum cw_queue_pair_state {
    CW_IDLE = 0,
    CW_CONNECTING = 1,
    CW_CONNECTED = 2,
    CW_REFUSED = 3,
    CW_CLOSED = 4
} cw_queue_pair_state;

/* Makes an idle queue pair, to post receives on before it is connected or accepted. Errors:
 * INVALID_ARGUMENT, LIMIT_REACHED, NO_MEMORY, ADAPTER_GONE. */
CW_API CW_CHECK int cw_queue_pair_create(cw_partition* partition,
                                         const cw_queue_pair_options* options, cw_queue_pair** out);
/* Begins to connect an idle queue pair to "partition/service"; with timeout_ns > 0 waits for the
 * outcome. Errors: NOT_FOUND (no such partition or service), DENIED, LIMIT_REACHED (backlog full),
 * TIMED_OUT (nobody accepted; the queue pair goes on connecting), PEER_GONE, UNSUPPORTED. */
CW_API CW_CHECK int cw_queue_pair_connect(cw_queue_pair* pair, const char* target,
                                          uint64_t timeout_ns);
CW_API int cw_queue_pair_state_of(const cw_queue_pair* pair); /* cw_queue_pair_state */
/* Says why a descriptor of this kind (1 Send, 3 Write, 4 Read, 5 Append) from this connected end is
 * denied, or which rule allows it, as the adapter's policy has it now. Writes at most `size` bytes
 * with the NUL. Errors: WRONG_STATE (not connected), INVALID_ARGUMENT. */
CW_API CW_CHECK int cw_queue_pair_explain(cw_queue_pair* pair, uint32_t opcode, char* text,
                                          size_t size);
CW_API const char* cw_queue_pair_peer(const cw_queue_pair* pair);     /* partition, "" before */
CW_API const char* cw_queue_pair_executor(const cw_queue_pair* pair); /* "adapter", ... */
/* Ends the queue pair at once. Wait for the completions of what matters first. Completions that
 * were not taken are lost. */
CW_API void cw_queue_pair_close(cw_queue_pair* pair);

/* Posting. Gather and scatter lists hold at most 32 slices; the memory belongs to the fabric until
 * the completion. Sends of at most 32 bytes are copied while posting: their memory is free at once.
 * Errors: AGAIN (queue full: take completions first), INVALID_ARGUMENT (slice outside its region),
 * WRONG_STATE (queue pair not connecting or connected), PEER_GONE. */
CW_API CW_CHECK int cw_post_send(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                                 uint64_t id, uint32_t flags, uint32_t immediate);
/* Gives memory for the next message that comes, to be filled slice after slice. */
CW_API CW_CHECK int cw_post_receive(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                                    uint64_t id);
/* Writes into a region of the peer that has CW_ACCESS_REMOTE_WRITE. */
CW_API CW_CHECK int cw_post_write(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                                  const cw_remote* remote, uint64_t id, uint32_t flags,
                                  uint32_t immediate);
/* Reads from a region of the peer that has CW_ACCESS_REMOTE_READ. */
CW_API CW_CHECK int cw_post_read(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                                 const cw_remote* remote, uint64_t id, uint32_t flags);
/* Appends to a region of the peer that has CW_ACCESS_APPEND; the completion says where. */
CW_API CW_CHECK int cw_post_append(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                                   const cw_remote* remote, uint64_t id, uint32_t flags);

/* ---- listeners */

/* Offers a service, at which at most `backlog` (1 to 1024) connections wait to be accepted. Errors:
 * NAME_IN_USE, LIMIT_REACHED, INVALID_ARGUMENT, ADAPTER_GONE. */
CW_API CW_CHECK int cw_listen(cw_partition* partition, const char* service, uint32_t backlog,
                              cw_listener** out);
/* What a service is on the fabric's bus, where others find it by this. */
typedef enum cw_controller_type {
    CW_CONTROLLER_NONE = 0, /* nothing: an ordinary service */
    CW_CONTROLLER_NETWORK = 1,
    CW_CONTROLLER_BLOCK = 2,
    CW_CONTROLLER_SECURITY = 3,
    CW_CONTROLLER_OTHER = 4
} cw_controller_type;

/* As cw_listen, and announces the service on the bus as a controller, `type` being one of
 * cw_controller_type: it arrives there, and departs when the listener is closed or its partition
 * ends. At most 64 of a partition (LIMIT_REACHED). */
CW_API CW_CHECK int cw_listen_as(cw_partition* partition, const char* service, uint32_t backlog,
                                 uint32_t type, cw_listener** out);
/* Takes the first waiting connection onto the idle queue pair `pair`, waiting at most timeout_ns.
 * Errors: TIMED_OUT, AGAIN (timeout_ns 0 and nobody waits), WRONG_STATE. */
CW_API CW_CHECK int cw_accept(cw_listener* listener, cw_queue_pair* pair, uint64_t timeout_ns);
/* Ends the service; connections that wait are refused. */
CW_API void cw_listener_close(cw_listener* listener);

/* ---- the bus: which controllers are on the fabric, who uses them, how they come and go */

/* How a controller is. */
typedef enum cw_controller_state {
    CW_CONTROLLER_UP = 1,
    CW_CONTROLLER_AWAY = 2 /* its partition has not come back to this adapter yet */
} cw_controller_state;

/* A controller, as it is shown: valid until the function that it is shown to returns. */
typedef struct cw_controller {
    const char* partition; /* whose it is */
    const char* service;   /* connect to "partition/service" */
    uint32_t type; /* cw_controller_type: what it is for; a later release may know more of them */
    cw_controller_state state; /* how it is */
    uint32_t connections;      /* accepted, and neither end has let go */
    uint32_t user_count;       /* how many users there are */
    const char* const* users;  /* the partitions that have these connections */
    uint64_t number;           /* names it as long as it is there, also at the next adapter */
} cw_controller;

/* What has become of a controller. */
typedef enum cw_bus_change {
    CW_BUS_ARRIVED = 1,
    CW_BUS_DEPARTED = 2,
    CW_BUS_CHANGED = 3 /* its state, or who uses it */
} cw_bus_change;

/* A look at the bus: as the partition sees it, which is its own controllers and those that it may
 * connect to; or, with partition NULL, without joining, by the adapter at `socket` (NULL: as in
 * attach): what the partition of that entrance would see, at the open one all. At a named entrance
 * one sees among the users of others' controllers oneself only. A cw_bus belongs to one thread at a
 * time. */
CW_API CW_CHECK int cw_bus_open(cw_partition* partition, const char* socket, cw_bus** out);
/* Calls `controller` for each, in the order of their numbers. Errors: NO_ADAPTER, ADAPTER_GONE. */
CW_API CW_CHECK int cw_bus_list(cw_bus* bus,
                                void (*controller)(const cw_controller* controller, void* user),
                                void* user);
/* Calls `change` for each difference from what the last call told: departures, arrivals, then
 * others; the first call tells of all as arrived. Waits for a difference, at most timeout_ns; where
 * there is none by then, or a signal came, it returns CW_OK without a call. A partition is woken by
 * its events (with timeout_ns 0: when cw_partition_event_fd is readable), without partition the
 * adapter is asked four times a second. Errors: NO_ADAPTER, ADAPTER_GONE; without partition a later
 * call goes on with the next adapter. */
CW_API CW_CHECK int cw_bus_watch(cw_bus* bus, uint64_t timeout_ns,
                                 void (*change)(cw_bus_change change,
                                                const cw_controller* controller, void* user),
                                 void* user);
CW_API void cw_bus_close(cw_bus* bus); /* looks no more */

/* ---- named segments: shared storage that the adapter makes as configured (docs/segments.md) */

/* What a partition wants to do with a segment. */
typedef enum cw_segment_access { CW_SEGMENT_READ = 1, CW_SEGMENT_WRITE = 2 } cw_segment_access;

/* Opens segment `name`. Who may write it gets it mapped, and who reads as well, read-only, where
 * the kernel can hold the reader to that; any other reader gets copies by cw_segment_read only.
 * Waits for a segment that is being made. Errors: NOT_FOUND (none of that name is configured),
 * DENIED (names the rule), LIMIT_REACHED, NO_MEMORY. */
CW_API CW_CHECK int cw_segment_open(cw_partition* partition, const char* name,
                                    cw_segment_access access, cw_segment** out);
/* Unmaps it and lets go of it. */
CW_API int cw_segment_close(cw_segment* segment);
CW_API const char* cw_segment_name(const cw_segment* segment); /* as configured */
/* Where it is mapped; NULL for who gets copies. To be written only if cw_segment_writable: anything
 * else ends in SIGSEGV. Several partitions may use it at once: nothing here locks. */
CW_API void* cw_segment_data(const cw_segment* segment);
CW_API size_t cw_segment_size(const cw_segment* segment);  /* in bytes */
CW_API int cw_segment_writable(const cw_segment* segment); /* 1 or 0 */
/* Copies `length` bytes at `offset` into the caller's region, `at` bytes from its start. By the
 * adapter where the segment is not mapped, then in steps of 1 MiB, each of which it checks anew.
 * Errors: INVALID_ARGUMENT (bounds), DENIED and NOT_FOUND (it is open no more: as check says). */
CW_API CW_CHECK int cw_segment_read(cw_segment* segment, uint64_t offset, cw_region* into,
                                    size_t at, size_t length);
/* Is it still this partition's? The partition's event says that one of its segments may not be.
 * What is mapped stays mapped all the same. Errors: DENIED (removed from the configuration, or no
 * longer allowed), NOT_FOUND (the next adapter has made it anew): open it again. */
CW_API CW_CHECK int cw_segment_check(cw_segment* segment);

/* ---- configuration and stats: rows as in causeway/abi/control.hpp */

/* Has the adapter at `socket` (NULL: as in attach), whose open entrance it must be, read its
 * configuration file again and do what it says. `line` is called with what was changed, line by
 * line. Errors: DENIED, UNSUPPORTED (it has no file), INVALID_ARGUMENT (the file has mistakes,
 * nothing was changed). */
CW_API CW_CHECK int cw_reload(const char* socket, void (*line)(const char* text, void* user),
                              void* user);

/* Asks the adapter at `socket` (NULL: as in attach) for rows of one abi::StatsKind without joining
 * as a partition; calls `row` for each. */
CW_API CW_CHECK int cw_stats(const char* socket, uint32_t kind,
                             void (*row)(const void* data, size_t size, void* user), void* user);

#ifdef __cplusplus
}
#endif
#endif
