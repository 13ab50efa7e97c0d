#include "engine/format.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace causeway::engine {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Descriptor;
using abi::Opcode;

[[nodiscard]] constexpr bool is(std::uint8_t opcode, Opcode wanted) noexcept {
    return opcode == static_cast<std::uint8_t>(wanted);
}

[[nodiscard]] bool zero(const abi::AddressSegment& s) noexcept {
    return (s.handle | s.generation) == 0 && s.address == 0;
}
[[nodiscard]] bool zero(const abi::DataSegment& s) noexcept {
    return (s.length | s.handle) == 0 && s.address == 0;
}

[[nodiscard]] bool unused_segments_zero(const Descriptor& d) noexcept {
    return (d.control.segments > 1 || zero(d.data[1])) &&
           (d.control.segments > 0 || zero(d.data[0]));
}

// Are the bytes of an inline payload from `length` on zero? By words: this is on every message's
// way.
[[nodiscard]] bool zero_from(const std::uint8_t* payload, std::size_t length) noexcept {
    std::uint64_t rest = 0;
    for (std::size_t at = length & ~std::size_t{7}; at < abi::kMaxInline; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, payload + at, sizeof word);
        rest |= at < length ? word >> (8 * (length - at)) : word;
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

[[nodiscard]] bool send_head_ok(const Descriptor& d) noexcept {
    const auto& c = d.control;
    const std::uint8_t allowed = allowed_flags(c.opcode);
    if (allowed == 0 || (c.flags & ~allowed) != 0)
        return false;
    const bool addressed =
        is(c.opcode, Opcode::write) || is(c.opcode, Opcode::read) || is(c.opcode, Opcode::append);
    if (!addressed && !zero(d.address))
        return false;
    if ((c.flags & flag::kImmediate) == 0 && c.immediate != 0)
        return false;
    if ((c.flags & flag::kInline) != 0) {
        return c.segments <= abi::kMaxInline && (c.flags & flag::kMore) == 0 &&
               zero_from(d.payload, c.segments);
    }
    if (is(c.opcode, Opcode::nop) && c.segments != 0)
        return false;
    return c.segments <= abi::kMaxDataSegments && unused_segments_zero(d);
}

[[nodiscard]] bool receive_head_ok(const Descriptor& d) noexcept {
    const auto& c = d.control;
    return is(c.opcode, Opcode::receive) && (c.flags & ~flag::kMore) == 0 && c.immediate == 0 &&
           zero(d.address) && c.segments <= abi::kMaxDataSegments && unused_segments_zero(d);
}

[[nodiscard]] bool continuation_ok(const Descriptor& d, const Descriptor& head) noexcept {
    const auto& c = d.control;
    return c.opcode == head.control.opcode && (c.flags & ~flag::kMore) == 0 && c.immediate == 0 &&
           c.id == 0 && zero(d.address) && c.segments <= abi::kMaxDataSegments &&
           unused_segments_zero(d);
}

void add_segments(Work& out, const Descriptor& d) noexcept {
    for (std::uint32_t i = 0; i < d.control.segments; ++i) {
        out.list[out.segments++] = d.data[i];
        out.length += d.data[i].length;
    }
}

[[nodiscard]] Taken take(const shm::DescriptorConsumer& ring, Work& out,
                         bool (*head_ok)(const Descriptor&)) noexcept {
    Descriptor head;
    if (!ring.peek(head))
        return Taken::none;
    out.control = head.control;
    out.remote = head.address;
    out.descriptors = 1;
    out.segments = 0;
    out.length = 0;
    if (!head_ok(head))
        return Taken::bad;
    if ((head.control.flags & flag::kInline) != 0) {
        out.length = head.control.segments;
        std::memcpy(out.payload.data(), head.payload, abi::kMaxInline);
        return Taken::work;
    }
    add_segments(out, head);
    Descriptor next = head;
    while ((next.control.flags & flag::kMore) != 0) {
        // The head is published last: whatever belongs to the chain stands there already.
        if (out.descriptors == abi::kMaxChain || out.descriptors == ring.entries() ||
            !ring.peek(next, out.descriptors) || !continuation_ok(next, head)) {
            return Taken::bad;
        }
        ++out.descriptors;
        add_segments(out, next);
    }
    return out.length > std::numeric_limits<std::uint32_t>::max() ? Taken::too_long : Taken::work;
}

}  // namespace

Taken take_send(const shm::DescriptorConsumer& ring, Work& out) noexcept {
    return take(ring, out, send_head_ok);
}

Taken take_receive(const shm::DescriptorConsumer& ring, Work& out) noexcept {
    return take(ring, out, receive_head_ok);
}

}  // namespace causeway::engine
