// Named segments (Figs 4 to 6): shared storage that the adapter makes as configured, and who may
// have it how. The fabric (fabric_segments.cpp) makes and removes them, requests_segments.cpp
// answers for them.
//
// Threading: records belong to the control thread; SegmentMemory is also used by the worker.
// Ownership: the adapter owns the memory as long as the segment is configured. A partition that was
// given a descriptor keeps what it has mapped, whatever becomes of the segment.
//
// Invariants:
//  1. The file is the adapter's own, of mode 0600 and sealed in its size, so that who has it open
//     read-only cannot open it again for writing, and nobody can make a reader fault by truncating.
//  2. Whoever file permissions do not hold (the adapter's own uid, root, a process with
//     capabilities, or of a user namespace that has the adapter's user) gets copies instead of a
//     read-only descriptor.
//  3. An opening is bound to the file that it was of: it never shows what was made anew.
#pragma once

#include <causeway/abi/segment.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/journal_cells.hpp"
#include "adapter/worker.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "config/policy.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

struct SegmentMemory {
    platform::UniqueFd file;
    JournaledFile key{};
    platform::Mapping mapping;
};

struct SegmentRecord {
    config::Segment terms;
    std::uint32_t number = 0;  // in listings
    abi::SegmentState state = abi::SegmentState::making;
    bool removed = false;                   // not configured any more
    std::shared_ptr<SegmentMemory> memory;  // while it is being made: the worker's
    JournaledFile key{};                    // of the memory; zero until that is known
    Error failure;                          // failed
    // Who asked for it before it was ready: told once it is, or has failed, or is removed.
    // By session, so that nothing is left of those that go meanwhile.
    std::map<std::uint32_t, std::function<void()>> waiting;
};

// What one open_segment of a partition has led to.
struct SegmentOpening {
    std::shared_ptr<SegmentRecord> segment;
    abi::SegmentAccess access{};
    abi::SegmentManner manner{};
    JournaledFile key{};  // invariant 3
    std::string ended;    // why it is none any more; empty: it is one
    SegmentCell* cell = nullptr;
};

inline constexpr std::size_t kMostOpenings = 64;  // per partition

[[nodiscard]] constexpr bool same_file(const JournaledFile& a, const JournaledFile& b) noexcept {
    return a.device == b.device && a.inode == b.inode;
}

// Sizes, names, and that none is there twice. Errors: invalid_argument, naming the segment.
[[nodiscard]] Result<void> check_segments(const std::vector<config::Segment>& segments);

// May `partition` open it so? denied, with what is missing where. `wanted` as it came.
[[nodiscard]] Result<void> may_open(const config::Segment& segment, std::string_view partition,
                                    abi::SegmentAccess wanted);

// Why a reader gets copies instead of a descriptor (invariant 2); empty: it gets one.
[[nodiscard]] std::string why_copies(const platform::Credentials& credentials);
// Does a user namespace with this uid_map, as /proc shows it to the adapter, have user `uid` of the
// adapter's own? Also where it cannot be told.
[[nodiscard]] bool maps_user(std::string_view uid_map, uid_t uid);

// The same file, open for reading only.
[[nodiscard]] Result<platform::UniqueFd> open_to_read(const platform::UniqueFd& file);
// What a partition hands back: is it that file, as this adapter's user made it? Then it is opened
// anew, for reading and writing, whatever it was open for. Errors: denied, invalid_argument.
[[nodiscard]] Result<std::shared_ptr<SegmentMemory>> take_back_segment(
    const platform::UniqueFd& file, const JournaledFile& known, std::uint64_t size);

// A worker's job that makes the file (where `memory` has none), maps and fills it, a part per step,
// and then calls `done` (on the worker's thread).
[[nodiscard]] Worker::Job make_segment(std::string name, std::uint64_t size,
                                       std::shared_ptr<SegmentMemory> memory,
                                       std::function<void(Result<void>)> done);

}  // namespace causeway::adapter
