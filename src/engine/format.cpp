#include "engine/format.hpp"

#include <cstddef>
#include <limits>

namespace causeway::engine {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using shm::Line;

// A descriptor is looked at as the words that it came in: put together to bytes and fields in
// memory it would have to be waited for, and this is on every message's way.
[[nodiscard]] constexpr std::uint8_t opcode_of(const Line& d) noexcept {
    return static_cast<std::uint8_t>(d[0]);
}
[[nodiscard]] constexpr std::uint8_t flags_of(const Line& d) noexcept {
    return static_cast<std::uint8_t>(d[0] >> 8);
}
[[nodiscard]] constexpr std::uint8_t segments_of(const Line& d) noexcept {
    return static_cast<std::uint8_t>(d[0] >> 16);
}
[[nodiscard]] constexpr std::uint32_t immediate_of(const Line& d) noexcept {
    return static_cast<std::uint32_t>(d[0] >> 32);
}
[[nodiscard]] constexpr bool is(const Line& d, Opcode wanted) noexcept {
    return opcode_of(d) == static_cast<std::uint8_t>(wanted);
}
[[nodiscard]] constexpr bool no_id(const Line& d) noexcept { return d[1] == 0; }
[[nodiscard]] constexpr bool no_address(const Line& d) noexcept { return (d[2] | d[3]) == 0; }

constexpr std::size_t kData = offsetof(abi::Descriptor, data) / 8;

// As many data segments as there may be, and zero behind them.
[[nodiscard]] constexpr bool segments_ok(const Line& d) noexcept {
    const std::uint8_t segments = segments_of(d);
    return segments <= abi::kMaxDataSegments &&
           (segments > 1 || (d[kData + 2] | d[kData + 3]) == 0) &&
           (segments > 0 || (d[kData] | d[kData + 1]) == 0);
}

// Are the bytes of an inline payload from `length` on zero?
[[nodiscard]] constexpr bool zero_from(const Line& d, std::size_t length) noexcept {
    std::uint64_t rest = 0;
#pragma GCC unroll 4
    for (std::size_t at = 0; at < abi::kMaxInline; at += 8) {
        const std::uint64_t word = d[kData + at / 8];
        if (length <= at)
            rest |= word;
        else if (length < at + 8)
            rest |= word >> (8 * (length - at));
    }
    return rest == 0;
}

// Which flags an opcode may carry; none for one that a send queue does not know.
[[nodiscard]] std::uint8_t allowed_flags(std::uint8_t opcode) noexcept {
    constexpr std::uint8_t common = flag::kSignaled | flag::kFence;
    switch (static_cast<Opcode>(opcode)) {
        case Opcode::send:
        case Opcode::write:
            return common | flag::kImmediate | flag::kInline | flag::kMore;
        case Opcode::append:
            return common | flag::kInline | flag::kMore;
        case Opcode::read:
            return common | flag::kMore;
        case Opcode::nop:
            return common;
        case Opcode::receive:
            break;
    }
    return 0;
}

[[nodiscard]] bool send_head_ok(const Line& d) noexcept {
    const std::uint8_t flags = flags_of(d);
    const std::uint8_t allowed = allowed_flags(opcode_of(d));
    if (allowed == 0 || (flags & ~allowed) != 0)
        return false;
    const bool addressed = is(d, Opcode::write) || is(d, Opcode::read) || is(d, Opcode::append);
    if (!addressed && !no_address(d))
        return false;
    if ((flags & flag::kImmediate) == 0 && immediate_of(d) != 0)
        return false;
    if ((flags & flag::kInline) != 0) {
        return segments_of(d) <= abi::kMaxInline && (flags & flag::kMore) == 0 &&
               zero_from(d, segments_of(d));
    }
    if (is(d, Opcode::nop) && segments_of(d) != 0)
        return false;
    return segments_ok(d);
}

[[nodiscard]] bool receive_head_ok(const Line& d) noexcept {
    return is(d, Opcode::receive) && (flags_of(d) & ~flag::kMore) == 0 && immediate_of(d) == 0 &&
           no_address(d) && segments_ok(d);
}

[[nodiscard]] bool continuation_ok(const Line& d, const Line& head) noexcept {
    return opcode_of(d) == opcode_of(head) && (flags_of(d) & ~flag::kMore) == 0 &&
           immediate_of(d) == 0 && no_id(d) && no_address(d) && segments_ok(d);
}

inline void add_segment(Work& out, std::uint64_t first, std::uint64_t address) noexcept {
    const auto length = static_cast<std::uint32_t>(first);
    out.list[out.segments++] = {length, static_cast<std::uint32_t>(first >> 32), address};
    out.length += length;
}

inline void add_segments(Work& out, const Line& d) noexcept {
    if (segments_of(d) > 0)
        add_segment(out, d[kData], d[kData + 1]);
    if (segments_of(d) > 1)
        add_segment(out, d[kData + 2], d[kData + 3]);
}

// The rest of a chain, whose head is in `out`. It is published last: whatever belongs to the chain
// stands there already.
[[nodiscard]] Taken take_chain(const shm::DescriptorConsumer& ring, const Line& head,
                               Work& out) noexcept {
    Line next = head;
    while ((flags_of(next) & flag::kMore) != 0) {
        if (out.descriptors == abi::kMaxChain || out.descriptors == ring.entries() ||
            !ring.peek(next, out.descriptors) || !continuation_ok(next, head)) {
            return Taken::bad;
        }
        ++out.descriptors;
        add_segments(out, next);
    }
    return Taken::work;
}

template<bool (*head_ok)(const Line&)>
[[nodiscard]] Taken take(const shm::DescriptorConsumer& ring, Work& out) noexcept {
    Line head;
    if (!ring.peek(head))
        return Taken::none;
    out.control = {.opcode = opcode_of(head),
                   .flags = flags_of(head),
                   .segments = segments_of(head),
                   .phase = 0,
                   .immediate = immediate_of(head),
                   .id = head[1]};
    out.remote = {static_cast<std::uint32_t>(head[2]), static_cast<std::uint32_t>(head[2] >> 32),
                  head[3]};
    out.descriptors = 1;
    out.segments = 0;
    out.length = 0;
    if (!head_ok(head))
        return Taken::bad;
    if ((flags_of(head) & flag::kInline) != 0) {
        out.length = segments_of(head);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < out.payload.size(); ++i)
            out.payload[i] = head[kData + i];
        return Taken::work;
    }
    add_segments(out, head);
    if ((flags_of(head) & flag::kMore) != 0 && take_chain(ring, head, out) != Taken::work)
        return Taken::bad;
    return out.length > std::numeric_limits<std::uint32_t>::max() ? Taken::too_long : Taken::work;
}

}  // namespace

Taken take_send(const shm::DescriptorConsumer& ring, Work& out) noexcept {
    return take<send_head_ok>(ring, out);
}

Taken take_receive(const shm::DescriptorConsumer& ring, Work& out) noexcept {
    return take<receive_head_ok>(ring, out);
}

}  // namespace causeway::engine
