/* Causeway: disks that another partition serves (`causeway unit block`).
 *
 * Part of the stable C ABI of libcauseway.so.1, on top of causeway.h. C++ programs use block.hpp, a
 * header-only layer on it. docs/block.md says what a disk promises.
 *
 * Threading: a disk belongs to one thread at a time; different disks, also of one unit, to
 * different threads at once. None has a thread of its own.
 *
 * Order: requests that are outstanding together may be done in any order. What has to come after
 * another is submitted when that has ended. A flush that has ended well makes durable whatever had
 * ended before it was submitted, of this disk or another one on the same unit.
 *
 * Unit and adapter may die and come back: what was outstanding is asked for again, by itself, and
 * the only thing that shows is a delay. After cw_disk_options.timeout_ns a request ends in
 * ETIMEDOUT; what became of it is then not known.
 *
 * Buffers: one that lies in a region of the same partition, with CW_ACCESS_REMOTE_READ,
 * CW_ACCESS_REMOTE_WRITE and (for executor direct) CW_ACCESS_EXPORTABLE, is moved to and from
 * without a copy here; on executor direct the device itself reaches it. Any other memory is copied
 * on the way. A buffer belongs to the disk from cw_disk_submit until its result was taken; after
 * ETIMEDOUT on executor direct, until the unit is gone.
 *
 * Errors: functions return CW_OK or a cw_error; cw_error_text() says what was wrong and what to do.
 * What became of a request is told as an errno number: EIO, ENOSPC, EINVAL, EPERM, ENOMEM,
 * EOPNOTSUPP, EOVERFLOW, ETIMEDOUT, ESHUTDOWN (the adapter has gone for good).
 */
#ifndef CAUSEWAY_BLOCK_H
#define CAUSEWAY_BLOCK_H

#include <causeway/causeway.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cw_disk cw_disk; /* a disk of a block unit */

/* What a partition wants to do with a disk. */
typedef enum cw_disk_access {
    CW_DISK_READ = 1,
    CW_DISK_WRITE = 2,  /* as the only partition that writes */
    CW_DISK_SHARED = 3, /* write, as others may that say so, too */
    CW_DISK_MOST = 4    /* write, where the unit allows it; else read */
} cw_disk_access;

/* How to open a disk; a pointer to it may be NULL where all is to be as by default. */
typedef struct cw_disk_options {
    size_t size;           /* sizeof(cw_disk_options): lets the structure grow */
    cw_disk_access access; /* 0: CW_DISK_MOST */
    uint32_t depth;        /* requests outstanding, at most 4096; 0: 128 */
    /* After which a request that has not ended ends in ETIMEDOUT. 0: 60 s; UINT64_MAX: never. */
    uint64_t timeout_ns;
    cw_wait wait;         /* how calls wait that do */
    const char* executor; /* NULL or "any", "adapter", "direct" */
} cw_disk_options;

/* What a disk is. */
typedef struct cw_disk_info {
    uint64_t bytes;       /* its size */
    uint32_t block;       /* bytes: offsets and lengths are multiples of it; a power of two */
    uint32_t preferred;   /* bytes: requests that are multiples of it cost least */
    uint32_t most;        /* bytes of the longest read or write: 32 MiB */
    uint32_t depth;       /* requests outstanding, at most */
    uint32_t read_only;   /* 1: for this partition */
    uint32_t can_zero;    /* 1: zeroing costs less than writing zeros */
    uint32_t can_discard; /* 1: discarding frees room */
    uint32_t can_extents; /* 1: extents tell more than that all is data */
    uint32_t rotational;  /* 1: seeking costs time */
    uint32_t in_place;    /* 1: the device reaches buffers itself (executor direct) */
    uint32_t connections; /* so far: the first one, and one for every return of the unit */
    uint32_t reserved;    /* 0 */
} cw_disk_info;

/* What may be asked of a disk. */
typedef enum cw_disk_operation {
    CW_DISK_OP_READ = 1,
    CW_DISK_OP_WRITE = 2,
    CW_DISK_OP_FLUSH = 3,
    CW_DISK_OP_ZERO = 4,
    CW_DISK_OP_DISCARD = 5,
    CW_DISK_OP_EXTENTS = 6 /* which parts are data, holes, zeros */
} cw_disk_operation;

/* Flags of a request. */
#define CW_DISK_FUA 1u        /* write, zero, discard: ended means durable */
#define CW_DISK_ALLOCATE 2u   /* zero: what is written there later finds its room */
#define CW_DISK_FAST_ONLY 4u  /* zero: EOPNOTSUPP rather than as slow as writing */
#define CW_DISK_ONE_EXTENT 8u /* extents: the first is enough */

/* Flags of an extent. */
#define CW_DISK_HOLE 1u  /* takes no room */
#define CW_DISK_ZEROS 2u /* reads as zeros */

/* A stretch of a disk. */
typedef struct cw_disk_extent {
    uint64_t length;   /* bytes */
    uint32_t flags;    /* CW_DISK_HOLE, CW_DISK_ZEROS; 0: data */
    uint32_t reserved; /* 0 */
} cw_disk_extent;

/* What is asked. */
typedef struct cw_disk_request {
    uint32_t operation; /* cw_disk_operation */
    uint32_t flags;     /* CW_DISK_... */
    uint64_t offset;    /* bytes; a multiple of the disk's block, as the length is */
    uint64_t length;    /* bytes; 0 for flush */
    void* data;         /* read, write: the buffer; extents: an array of cw_disk_extent */
    uint32_t handle;    /* of the region that the buffer lies in; 0: of none */
    uint32_t room;      /* extents: how many fit in the array */
    uint64_t user;      /* comes back with the result */
} cw_disk_request;

/* What became of it. */
typedef struct cw_disk_result {
    uint64_t user;    /* as given with the request */
    int32_t error;    /* 0, or an errno number */
    uint32_t extents; /* that stand in the array: side by side, from the request's offset on */
} cw_disk_result;

/* Opens the disk "partition/name", waiting at most `timeout_ns` for its unit. Errors: NOT_FOUND (no
 * such partition or disk), DENIED (by policy, or the unit gives this partition no such access),
 * LIMIT_REACHED (another partition writes), TIMED_OUT, PROTOCOL (that is no block unit), NO_MEMORY,
 * ADAPTER_GONE. */
CW_API CW_CHECK int cw_disk_open(cw_partition* partition, const char* target,
                                 const cw_disk_options* options, uint64_t timeout_ns,
                                 cw_disk** out);
/* Lets go of it; what is outstanding has no result. */
CW_API void cw_disk_close(cw_disk* disk);
/* As the unit said last. */
CW_API int cw_disk_info_of(const cw_disk* disk, cw_disk_info* out);
/* Why there is no connection to the unit just now; "" where there is one. Valid until the next call
 * on the disk. */
CW_API const char* cw_disk_trouble(const cw_disk* disk);

/* Begins a request. Errors: AGAIN (`depth` are outstanding or have results that were not taken),
 * INVALID_ARGUMENT (outside the disk, not in blocks, too long; a buffer that is not in its region
 * or has not the rights), NO_MEMORY, LIMIT_REACHED (of registered memory). */
CW_API CW_CHECK int cw_disk_submit(cw_disk* disk, const cw_disk_request* request);
/* Takes up to `most` results, waiting at most `timeout_ns` for the first; returns their number (0:
 * the time is over), or -cw_error: WRONG_STATE (nothing is outstanding). */
CW_API CW_CHECK int cw_disk_poll(cw_disk* disk, cw_disk_result* out, int most, uint64_t timeout_ns);
/* For an epoll loop: readable when cw_disk_poll is worth calling, once that has returned 0 for a
 * `timeout_ns` of 0 and the disk was not polled since. Owned by the disk. Negative: -cw_error. */
CW_API int cw_disk_fd(cw_disk* disk);
/* Submits the request and waits for its end: results of others are kept for cw_disk_poll. Returns
 * CW_OK also where it ended in an error: that is in `out`. */
CW_API CW_CHECK int cw_disk_call(cw_disk* disk, const cw_disk_request* request,
                                 cw_disk_result* out);

#ifdef __cplusplus
}
#endif
#endif
