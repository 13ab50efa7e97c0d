// Control plane: fixed, versioned requests and replies over one SOCK_SEQPACKET connection.
//
// One request is outstanding at a time; one message carries at most one descriptor (SCM_RIGHTS).
// Every message begins with a Header whose size counts the whole message. A structure may grow at
// its end: the receiver takes what it knows, treats what is missing as zero, and refuses a tail it
// does not know unless that tail is zero. A failed request is answered by an ErrorReply.
//
// Strings are NUL-padded and NUL-terminated. Names match [A-Za-z0-9._-]{1,63}.
#pragma once

#include <causeway/abi/queue_pair.hpp>
#include <causeway/abi/status.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 1;

inline constexpr std::size_t kNameSize = 64;
inline constexpr std::size_t kTargetSize = 2 * kNameSize;  // "partition/service"
inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr std::size_t kTokenSize = 16;
inline constexpr std::size_t kSecretSize = 64;
inline constexpr std::uint64_t kRegionPart = std::uint64_t{64} << 20;  // bytes in one memfd
inline constexpr std::uint64_t kMaxRegion = std::uint64_t{1} << 40;

enum class Request : std::uint16_t {
    attach = 1,
    open_doorbell = 2,
    wakeup_socket = 3,
    close_doorbell = 4,
    register_region = 5,
    deregister_region = 6,
    region_status = 7,
    create_queue_pair = 8,
    listen = 9,
    close_listener = 10,
    connect = 11,
    accept = 12,
    disconnect = 13,
    stats = 14,
    open_direct = 15,
    resolve = 16,
    resume_doorbell = 17,
    resume_region = 18,
    resume_queue_pair = 19,
    resume_done = 20,
    narrow_region = 21,
    reload = 22,
    open_segment = 23,  // these five: abi/segment.hpp
    copy_segment = 24,
    close_segment = 25,
    resume_segment = 26,
    segment_status = 27,
    explain = 28,
    bus = 29,  // abi/bus.hpp
};
inline constexpr std::uint16_t kReplyBit = 0x8000;  // type of a reply = request | kReplyBit

struct Header {
    std::uint32_t size;      // of the whole message
    std::uint16_t type;      // Request, with kReplyBit in a reply
    std::uint16_t flags;     // zero
    std::uint32_t sequence;  // chosen by the client, returned in the reply
    std::int32_t error;      // abi::Error; zero in requests
};
static_assert(sizeof(Header) == 16);

struct ErrorReply {
    Header header;
    char text[496];  // what was wrong, and what to do
};
static_assert(sizeof(ErrorReply) == 512);

// --- attach: the first request. On a named entrance an empty name means the entrance's own.
namespace attach_flag {
// Not a partition: has no name (`name` is empty) and may only ask for stats and the bus, of what a
// partition that came in by the same entrance would see.
inline constexpr std::uint32_t kObserver = 1;
// The partition of an adapter that has died, by its session and token: see resume below.
inline constexpr std::uint32_t kResume = 2;
inline constexpr std::uint32_t kAll = 3;
}  // namespace attach_flag

namespace feature {
// It would come back to the next adapter (see resume below), and keeps what it needs for that.
// Without it the journal knows nothing of the partition, and its name is free once it has gone.
inline constexpr std::uint32_t kReturns = 1;
}  // namespace feature

struct AttachRequest {
    Header header;
    std::uint16_t major_least;
    std::uint16_t major_most;
    std::uint32_t features;  // offered, feature: what is not known is passed over
    char name[kNameSize];
    std::uint32_t flags;             // attach_flag, demanded: what is not known is refused
    std::uint32_t session;           // kResume: as the first AttachReply gave it; otherwise zero
    std::uint8_t token[kTokenSize];  // the same
    // What the partition's token file holds, where one is configured; filled up with zeros.
    std::uint8_t secret[kSecretSize];
};
struct AttachReply {
    Header header;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint32_t features;
    std::uint32_t session;
    std::uint32_t movers;
    std::uint64_t max_bytes;  // quotas of this partition
    std::uint32_t max_regions;
    std::uint32_t max_queue_pairs;
    char name[kNameSize];  // under which the partition is known now; an observer has none
    char adapter_version[32];
    // A secret by which the partition, and nobody else, resumes its session with the next adapter.
    // Zero: this adapter keeps no journal, or kReturns was not offered.
    std::uint8_t token[kTokenSize];
};
static_assert(sizeof(AttachRequest) == 176 && sizeof(AttachReply) == 160);

// --- doorbells (abi/doorbell.hpp). A completion queue is, to the adapter, a doorbell. The reply
// carries the descriptor of its memory; wakeup_socket then fetches this side's end of its
// socketpair, once.
//
// Between direct peers each completion queue has one doorbell per partition that rings it: both
// sides open it under the number that open_direct gave (bell_in: waiting, bell_out: waking).
enum class DoorbellKind : std::uint32_t {
    events = 0,
    mover = 1,
    completions = 2,
    bell_in = 3,
    bell_out = 4,
};

struct OpenDoorbellRequest {
    Header header;
    std::uint32_t kind;   // DoorbellKind
    std::uint32_t index;  // mover: which one; bell_in, bell_out: its number
};
struct OpenDoorbellReply {
    Header header;
    std::uint32_t doorbell;
    std::uint32_t reserved;
};
struct DoorbellRequest {  // wakeup_socket (reply: Header and descriptor), close_doorbell (Header)
    Header header;
    std::uint32_t doorbell;
    std::uint32_t reserved;
};
static_assert(sizeof(OpenDoorbellRequest) == 24 && sizeof(OpenDoorbellReply) == 24);
static_assert(sizeof(DoorbellRequest) == 24);

// --- regions. A region of more than kRegionPart bytes is registered part by part, each message
// with one sealed and filled memfd; the reply to the last part carries the handle.
namespace right {
inline constexpr std::uint32_t kRemoteWrite = 1;
inline constexpr std::uint32_t kRemoteRead = 2;
inline constexpr std::uint32_t kAppend = 4;
inline constexpr std::uint32_t kExportable = 8;  // may be granted to a direct peer
inline constexpr std::uint32_t kAll = 15;
}  // namespace right

struct RegisterRequest {
    Header header;
    std::uint64_t size;     // of the whole region, bytes, a multiple of 4096
    std::uint64_t address;  // registered base: virtual address of its first byte
    std::uint32_t rights;
    std::uint32_t part;   // 0 .. parts-1, in order
    std::uint32_t parts;  // size / kRegionPart, rounded up
    std::uint32_t reserved;
};
struct RegisterReply {
    Header header;
    std::uint32_t handle;  // zero until the last part
    std::uint32_t generation;
    std::uint32_t network_id;
    std::uint32_t reserved;
};
struct RegionRequest {  // deregister_region, region_status
    Header header;
    std::uint32_t handle;
    std::uint32_t generation;
};
// From here on no descriptor of a peer reaches the region through the adapter, one that is under
// way included. What was granted to a direct peer stays reachable for that peer.
struct DeregisterReply {
    Header header;
    std::uint32_t granted;  // 1: a direct peer had been given its memory
    std::uint32_t reserved;
};
// Takes rights of peers away. Effective and answered (DeregisterReply) as deregistering is.
struct NarrowRegionRequest {
    Header header;
    std::uint32_t handle;
    std::uint32_t generation;
    std::uint32_t rights;  // those that stay; ones that it did not have are refused
    std::uint32_t reserved;
};
struct RegionStatusReply {
    Header header;
    std::uint64_t size;
    std::uint64_t append_offset;  // where the next Append will go
    std::uint32_t rights;
    std::uint32_t network_id;
};
static_assert(sizeof(RegisterRequest) == 48 && sizeof(RegisterReply) == 32);
static_assert(sizeof(RegionRequest) == 24 && sizeof(RegionStatusReply) == 40);
static_assert(sizeof(DeregisterReply) == 24 && sizeof(NarrowRegionRequest) == 32);

// --- queue pairs
enum class Patience : std::uint32_t {  // of a sender whose peer has posted no receive
    block = 0,
    error = 1,
    bounded = 2,
};
enum class Executor : std::uint32_t { any = 0, adapter = 1, direct = 2, link = 3 };

struct CreateQueuePairRequest {
    Header header;
    QueuePairShape shape;
    std::uint32_t completions;  // doorbell of the completion queue
    std::uint32_t patience;     // abi::Patience
    std::uint64_t patience_ns;  // bounded: how long
};
struct CreateQueuePairReply {  // with the descriptor of the queue pair's memory
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t mover;  // whose doorbell to ring
    std::uint32_t doorbell_bit;
    std::uint32_t ready_bit;
    std::uint64_t memory_size;
};
struct ListenRequest {
    Header header;
    char service[kNameSize];
    std::uint32_t backlog;
    std::uint32_t reserved;
    std::uint32_t controller;  // ControllerType (abi/bus.hpp) as which it is on the bus
    std::uint32_t reserved_too;
};
struct ListenReply {
    Header header;
    std::uint32_t listener;
    std::uint32_t reserved;
};
struct CloseListenerRequest {
    Header header;
    std::uint32_t listener;
    std::uint32_t reserved;
};
struct ConnectRequest {
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t executor;  // abi::Executor: the one wanted
    char target[kTargetSize];
};
struct ConnectReply {  // the queue pair is connecting now; its memory says what comes of it
    Header header;
    std::uint32_t executor;  // abi::Executor: the one chosen; any: accepting decides
    std::uint32_t reserved;
};
struct AcceptRequest {
    Header header;
    std::uint32_t listener;
    std::uint32_t queue_pair;  // idle; becomes the accepting end
    std::uint32_t executor;    // abi::Executor: the one wanted
    std::uint32_t reserved;
};
struct AcceptReply {
    Header header;
    std::uint32_t executor;  // abi::Executor: the one chosen
    std::uint32_t reserved;
    char peer[kNameSize];  // the connecting partition
};
struct DisconnectRequest {  // ends and frees the queue pair; reply: Header
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t reserved;
};
static_assert(sizeof(CreateQueuePairRequest) == 48 && sizeof(CreateQueuePairReply) == 40);
static_assert(sizeof(ListenRequest) == 96 && sizeof(ListenReply) == 24);
static_assert(sizeof(CloseListenerRequest) == 24 && sizeof(ConnectRequest) == 152);
static_assert(sizeof(ConnectReply) == 24 && sizeof(AcceptRequest) == 32);
static_assert(sizeof(AcceptReply) == 88 && sizeof(DisconnectRequest) == 24);

// --- executor direct (Fig 12). A connected end fetches its own inbound memory and the peer's
// (abi/queue_pair.hpp), each once; both replies name the same two bells.
enum class DirectSide : std::uint32_t { own = 0, peer = 1 };

struct OpenDirectRequest {
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t side;  // DirectSide
};
struct OpenDirectReply {  // with the descriptor of the inbound memory
    Header header;
    std::uint64_t memory_size;
    std::uint32_t receive_entries;
    std::uint32_t receive_completion_entries;
    std::uint32_t peer_session;    // whose regions this end may resolve
    std::uint32_t peer_ready_bit;  // of the peer's end, for bell_out
    std::uint32_t bell_in;         // the peer rings this end's completion queue
    std::uint32_t bell_out;        // this end rings the peer's completion queue
};
static_assert(sizeof(OpenDirectRequest) == 24 && sizeof(OpenDirectReply) == 48);

// Step 1203: the memory of an exportable region of the peer, a part at a time. What was granted
// stays reachable until its holder lets go: only its owner's partition can be ended. not_found: no
// such region; denied: not exportable, or the queue pair is not direct.
struct ResolveRequest {
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t handle;
    std::uint32_t part;
    std::uint32_t reserved;
};
struct ResolveReply {  // with the descriptor of that part's memory
    Header header;
    std::uint64_t size;     // of the whole region, bytes
    std::uint64_t address;  // registered base
    std::uint32_t generation;
    std::uint32_t rights;
    std::uint32_t parts;
    std::uint32_t network_id;
};
static_assert(sizeof(ResolveRequest) == 32 && sizeof(ResolveReply) == 48);

// --- resume: a new adapter in the place of one that has died finds in its journal what each
// partition had, and the partition brings the memory. Attached with kResume, it hands over one
// thing after another, each once, and ends with resume_done; other requests wait until then. What
// it does not hand over is forgotten. Handles, numbers and bits stay as they were, and so does what
// stands in queue memory and doorbells. Only what matches the journal (owner, number, memory file)
// is taken: not_found, denied. Doorbells between direct peers are theirs alone: not handed over.
//
// A segment that was open by a descriptor is handed over by it, for reading or writing; where it is
// not the adapter's any more (not_found, denied), only that opening has ended.
//
// attach with kResume fails with not_found where the journal knows no such session (any more), and
// with denied for another's: both for good; with again where the old session is just ending.
struct ResumeDoorbellRequest {  // with the page; reply: Header, with this side's new wake-up socket
    Header header;
    std::uint32_t doorbell;
    std::uint32_t reserved;
};
struct ResumeRegionRequest {  // with the memory of one part, in order; reply: Header
    Header header;
    std::uint32_t handle;
    std::uint32_t generation;
    std::uint32_t part;
    std::uint32_t reserved;
};
struct ResumeQueuePairRequest {  // with its memory, after all doorbells; reply: Header
    Header header;
    std::uint32_t queue_pair;
    std::uint32_t reserved;
};
struct ResumeDoneRequest {  // reply: Header
    Header header;
    std::uint32_t reserved[2];
};
static_assert(sizeof(ResumeDoorbellRequest) == 24 && sizeof(ResumeRegionRequest) == 32);
static_assert(sizeof(ResumeQueuePairRequest) == 24 && sizeof(ResumeDoneRequest) == 24);

// --- reload: the adapter reads its configuration file again and does what it says. For those who
// come in by the open entrance, observers too. invalid_argument: the file has mistakes, nothing was
// changed; unsupported: the adapter was started without a file.
struct ReloadRequest {
    Header header;
    std::uint32_t reserved[2];
};
struct ReloadReply {
    Header header;
    std::uint32_t changes;
    std::uint32_t cut;  // connections that were closed
    char text[2048];    // a line for each change, as many as fit
};
static_assert(sizeof(ReloadRequest) == 24 && sizeof(ReloadReply) == 2072);

// --- explain: why a descriptor of a queue pair was denied, or what would let it through.
struct ExplainRequest {
    Header header;
    std::uint32_t queue_pair;  // the caller's, connected
    std::uint32_t opcode;      // abi::Opcode
};
struct ExplainReply {
    Header header;
    char text[1024];
};
static_assert(sizeof(ExplainRequest) == 24 && sizeof(ExplainReply) == 1040);

// --- stats: rows of one kind, a page at a time. Who came in by a named entrance, partition or
// observer, sees the rows of that entrance's partition, its own ends of queue pairs (with the names
// of its peers), the segments that it may open, and of the adapter row only what concerns that
// partition; the open entrance sees all.
enum class StatsKind : std::uint32_t {
    adapter = 0,
    partitions = 1,
    queue_pairs = 2,
    regions = 3,
    segments = 4,  // abi/segment.hpp
    movers = 5,    // these three: abi/figures.hpp
    denials = 6,
    histograms = 7,
};

struct StatsRequest {
    Header header;
    std::uint32_t kind;    // StatsKind
    std::uint32_t cursor;  // 0, or `next` of the page before
};
struct StatsReply {  // followed by `rows` structures of `row_size` bytes
    Header header;
    std::uint32_t rows;
    std::uint32_t row_size;
    std::uint32_t next;  // cursor of the next page; 0: no more
    std::uint32_t reserved;
};
static_assert(sizeof(StatsRequest) == 24 && sizeof(StatsReply) == 32);

struct AdapterRow {
    char version[32];
    std::uint16_t major;
    std::uint16_t minor;
    std::uint32_t pid;
    std::uint64_t uptime_ns;
    std::uint32_t movers;
    std::uint32_t partitions;
    std::uint32_t queue_pairs;
    std::uint32_t regions;
    std::uint32_t open_files;
    std::uint32_t mappings;
    std::uint64_t registered_bytes;
    std::uint64_t refused;  // attach attempts and connects refused since the start
    char copy_kernels[128];
    char copies_from[128];         // "built in", or the file; the end of a long path
    std::uint64_t own_bytes;       // memory of the adapter's own
    std::uint64_t own_bytes_most;  // it never has more
};
struct PartitionRow {
    char name[kNameSize];
    char entrance[kNameSize];  // "open" or the name of the entrance
    std::uint32_t session;
    std::uint32_t pid;
    std::uint32_t uid;
    std::uint32_t regions;
    std::uint32_t queue_pairs;
    std::uint32_t listeners;
    std::uint64_t registered_bytes;
    std::uint64_t operations;  // executed on its behalf by the adapter, as are the next five
    std::uint64_t bytes;
    std::uint64_t mover_ns;
    std::uint64_t errors;
    std::uint64_t stalls;
    std::uint64_t stall_ns;
    // What its library says that it has executed itself (executor direct). Nobody has checked it.
    std::uint64_t claimed_operations;
    std::uint64_t claimed_bytes;
    std::uint64_t claimed_errors;
    std::uint64_t claimed_stalls;
    std::uint64_t claimed_stall_ns;
};
struct QueuePairRow {
    char partition[kNameSize];
    char peer[kNameSize];
    char service[kNameSize];
    char why[kNameSize];  // why this executor
    std::uint32_t id;
    std::uint32_t peer_id;
    std::uint32_t state;     // QueuePairState
    std::uint32_t reason;    // Error
    std::uint32_t executor;  // abi::Executor
    std::uint32_t mover;
    std::uint32_t outstanding;  // send descriptors posted and not yet completed
    std::uint32_t receives;     // posted and not yet consumed
    std::uint64_t operations;
    std::uint64_t bytes;
    std::uint64_t errors;
    std::uint64_t stalls;  // times a send waited for a receive or for room among the completions
    std::uint64_t stall_ns;
};
struct RegionRow {
    char partition[kNameSize];
    std::uint32_t network_id;
    std::uint32_t handle;
    std::uint32_t rights;
    std::uint32_t reserved;
    std::uint64_t size;
    std::uint64_t append_offset;
};
static_assert(sizeof(AdapterRow) == 360 && sizeof(PartitionRow) == 248);
static_assert(sizeof(QueuePairRow) == 328 && sizeof(RegionRow) == 96);

}  // namespace causeway::abi
