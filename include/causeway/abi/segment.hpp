// Control plane of the named segments (Figs 4 to 6): shared storage that the adapter makes as
// configured, and that partitions open by name. By the rules of abi/control.hpp. The reply to
// open_segment carries the descriptor of its memory, writable only where that was granted; or none,
// and then copy_segment brings what is in it. Event segment_changed (abi/doorbell.hpp) says that
// one of them may have ended: segment_status tells which, and why.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

enum class SegmentAccess : std::uint32_t { read = 1, write = 2 };
enum class SegmentManner : std::uint32_t { descriptor = 1, copies = 2 };

struct OpenSegmentRequest {
    Header header;
    std::uint32_t access;  // SegmentAccess: the one wanted
    std::uint32_t reserved;
    char name[kNameSize];
};
struct OpenSegmentReply {
    Header header;
    std::uint32_t segment;  // number of this opening, for the requests below
    std::uint32_t access;   // SegmentAccess: the one granted
    std::uint64_t size;     // bytes
    std::uint32_t manner;   // SegmentManner: is there a descriptor?
    std::uint32_t reserved;
};
inline constexpr std::uint32_t kMostSegmentCopy = 1U << 20;  // bytes
struct CopySegmentRequest {  // into a region of the caller's own; reply: Header
    Header header;
    std::uint32_t segment;
    std::uint32_t length;  // bytes, at most kMostSegmentCopy
    std::uint64_t offset;  // in the segment
    std::uint32_t handle;  // of the region
    std::uint32_t generation;
    std::uint64_t address;  // in the region, as in descriptors
};
struct SegmentRequest {  // close_segment, segment_status, resume_segment (with the memory);
    Header header;       // reply: Header
    std::uint32_t segment;
    std::uint32_t reserved;
};
static_assert(sizeof(OpenSegmentRequest) == 88 && sizeof(OpenSegmentReply) == 40);
static_assert(sizeof(CopySegmentRequest) == 48 && sizeof(SegmentRequest) == 24);
static_assert(offsetof(OpenSegmentRequest, name) == 24 && offsetof(OpenSegmentReply, size) == 24);
static_assert(offsetof(CopySegmentRequest, offset) == 24);
static_assert(offsetof(CopySegmentRequest, address) == 40);

// Of a segment that is configured.
enum class SegmentState : std::uint32_t {
    making = 0,
    ready = 1,
    awaited = 2,  // by the next adapter: whoever had it open may bring it back
    failed = 3,   // no memory; the next opening tries again
};
struct SegmentRow {
    char name[kNameSize];
    char readers[256];  // patterns, with ", " in between; "..." at the end where they are more
    char writers[256];
    std::uint64_t size;
    std::uint32_t open;    // partitions that have it open
    std::uint32_t copies;  // those of them that read it by copies only
    std::uint32_t state;   // SegmentState
    std::uint32_t reserved;
};
static_assert(sizeof(SegmentRow) == 600 && offsetof(SegmentRow, size) == 576);

}  // namespace causeway::abi
