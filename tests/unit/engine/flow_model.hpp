// What a flow has to do, by the rules: two partitions as bytes, and one operation after the other.
#pragma once

#include <causeway/abi/append_log.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <vector>

#include "support/engine_world.hpp"

namespace causeway::test {

// Does an Append into it make a record (abi/append_log.hpp)?
inline bool framed(std::uint32_t rights) {
    constexpr std::uint32_t both = abi::right::kAppend | abi::right::kExportable;
    return (rights & both) == both;
}

struct Expected {
    abi::Status sender = abi::Status::success;
    bool receiver_hears = false;
    abi::Status receiver = abi::Status::success;
    std::uint64_t length = 0;
    std::uint64_t offset = 0;  // Append
};

// One partition as the model knows it.
struct ModelPartition {
    struct Entry {
        const TestRegion* real;
        std::vector<std::byte> bytes;
        std::uint64_t append_offset = 0;  // of records: where one begins, or the log ends
        bool removed = false;

        [[nodiscard]] std::uint64_t word(std::uint64_t offset) const {
            std::uint64_t value = 0;
            std::memcpy(&value, bytes.data() + offset, sizeof value);
            return value;
        }
        // The records from append_offset on are passed over; false if there is no room behind
        // them for one of `length` bytes. What stands there need not be records: any operation
        // may have written into the region.
        bool find_room(std::uint64_t length) {
            while (abi::record_size(length) <= bytes.size() &&
                   append_offset <= bytes.size() - abi::record_size(length)) {
                const std::uint64_t header = word(append_offset);
                if (header == 0)
                    return true;
                const std::uint64_t taken = abi::record_size(abi::record_length(header));
                if (taken > bytes.size() - append_offset)
                    return false;
                append_offset += taken;
            }
            return false;
        }
        void write_record(const std::vector<std::byte>& data, std::uint32_t from) {
            const std::uint64_t header = abi::record_header(static_cast<std::uint32_t>(data.size()),
                                                            from, abi::RecordState::committed);
            std::memcpy(bytes.data() + append_offset, &header, sizeof header);
            std::copy(data.begin(), data.end(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(append_offset + sizeof header));
            append_offset += abi::record_size(data.size());
        }
    };
    std::uint32_t writer = 0;
    std::vector<Entry> regions;
    std::deque<std::vector<abi::DataSegment>> receives;

    Entry* find(std::uint32_t handle) {
        for (Entry& entry : regions) {
            if (!entry.removed && entry.real->region.handle == handle)
                return &entry;
        }
        return nullptr;
    }
    // Where `segment` begins, or null if it is not wholly inside a region.
    std::byte* at(const abi::DataSegment& segment) {
        Entry* entry = find(segment.handle);
        if (entry == nullptr)
            return nullptr;
        const std::uint64_t offset = segment.address - entry->real->region.address;
        if (offset > entry->bytes.size() || segment.length > entry->bytes.size() - offset) {
            return nullptr;
        }
        return entry->bytes.data() + offset;
    }
    bool valid(const std::vector<abi::DataSegment>& list) {
        for (const auto& segment : list) {
            if (segment.length != 0 && at(segment) == nullptr)
                return false;
        }
        return true;
    }
    std::vector<std::byte> gather(const std::vector<abi::DataSegment>& list) {
        std::vector<std::byte> bytes;
        for (const auto& segment : list) {
            const std::byte* from = at(segment);
            if (segment.length != 0)
                bytes.insert(bytes.end(), from, from + segment.length);
        }
        return bytes;
    }
    void scatter(const std::vector<abi::DataSegment>& list, const std::vector<std::byte>& bytes) {
        std::size_t done = 0;
        for (const auto& segment : list) {
            const std::size_t n = std::min<std::size_t>(segment.length, bytes.size() - done);
            if (n == 0)
                continue;
            std::memcpy(at(segment), bytes.data() + done, n);
            done += n;
        }
    }
};

inline std::uint64_t total(const std::vector<abi::DataSegment>& list) {
    std::uint64_t sum = 0;
    for (const auto& segment : list)
        sum += segment.length;
    return sum;
}

// What executing `post` from `from` to `to` does, by the rules.
inline Expected execute(ModelPartition& from, ModelPartition& to, const Post& post) {
    Expected e;
    const bool in_line = (post.flags & abi::descriptor_flag::kInline) != 0;
    e.length = in_line ? post.payload.size() : total(post.segments);
    const auto fails = [&](abi::Status status) {
        e.sender = status;
        e.length = 0;
        return e;
    };
    if (!in_line && !from.valid(post.segments))
        return fails(abi::Status::local_protection);
    const auto message = [&] {
        if (!in_line)
            return from.gather(post.segments);
        const auto bytes = std::as_bytes(std::span(post.payload));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    ModelPartition::Entry* region = nullptr;
    std::byte* remote = nullptr;
    if (post.opcode != abi::Opcode::send) {
        region = to.find(post.remote.handle);
        const std::uint32_t right = post.opcode == abi::Opcode::write  ? abi::right::kRemoteWrite
                                    : post.opcode == abi::Opcode::read ? abi::right::kRemoteRead
                                                                       : abi::right::kAppend;
        if (region == nullptr || region->real->region.generation != post.remote.generation ||
            (region->real->region.rights & right) == 0) {
            return fails(abi::Status::remote_access);
        }
        if (post.opcode == abi::Opcode::append && framed(region->real->region.rights)) {
            if (!region->find_room(e.length))
                return fails(abi::Status::remote_length);
            e.offset = region->append_offset + abi::kRecordHeader;
            region->write_record(message(), from.writer);
            return e;
        }
        if (post.opcode == abi::Opcode::append) {
            e.offset = region->append_offset;
            if (e.offset + e.length > region->bytes.size())
                return fails(abi::Status::remote_length);
            remote = region->bytes.data() + e.offset;
        } else {
            remote = to.at(
                {static_cast<std::uint32_t>(e.length), post.remote.handle, post.remote.address});
            if (remote == nullptr)
                return fails(abi::Status::remote_access);
        }
    }
    if (post.opcode == abi::Opcode::send || (post.flags & abi::descriptor_flag::kImmediate) != 0) {
        if (to.receives.empty())
            return fails(abi::Status::receiver_not_ready);
        const auto list = to.receives.front();
        if (post.opcode == abi::Opcode::send) {
            const bool fits = e.length <= total(list);
            const bool placed_here = e.length > abi::kMaxInline;
            if (!fits || (placed_here && !to.valid(list))) {
                e.receiver = fits ? abi::Status::local_protection : abi::Status::local_length;
                e.receiver_hears = true;
                to.receives.pop_front();
                return fails(fits ? abi::Status::remote_access : abi::Status::remote_length);
            }
            if (placed_here)
                to.scatter(list, message());
        }
        to.receives.pop_front();
        e.receiver_hears = true;
    }
    const auto bytes = post.opcode == abi::Opcode::read ? std::vector<std::byte>{} : message();
    switch (post.opcode) {
        case abi::Opcode::read:
            from.scatter(post.segments, {remote, remote + e.length});
            break;
        case abi::Opcode::append:
            region->append_offset += e.length;
            [[fallthrough]];
        case abi::Opcode::write:
            if (!bytes.empty())
                std::memcpy(remote, bytes.data(), bytes.size());
            break;
        default:
            break;
    }
    return e;
}

}  // namespace causeway::test
