// What comes over a channel: checked here, whoever sent it.
#include <algorithm>
#include <cstring>
#include <new>

#include "client/last_error.hpp"
#include "io/messaging/channel.hpp"
#include "io/messaging/ids.hpp"

namespace causeway::io::messaging {
namespace {

namespace wire = abi::messaging;

constexpr std::uint32_t kHeader = sizeof(wire::Header);

}  // namespace

// Null, or what is wrong with it.
const char* Channel::accept_hello(const std::byte* bytes, std::uint32_t length) noexcept {
    wire::Hello hello{};
    if (length != sizeof hello)
        return "what answers there is no I/O unit or host module";
    std::memcpy(&hello, bytes, sizeof hello);
    if (hello.magic != wire::kMagic)
        return "what answers there is no I/O unit or host module";
    if (hello.major != wire::kMajor)
        return "the other end speaks another version of the messaging layer";
    if (hello.service != terms_.service)
        return "the unit is of another kind";
    const bool sound = hello.messages != 0 && hello.messages <= wire::kMostMessages &&
                       hello.message_size >= wire::kLeastMessageSize &&
                       hello.message_size <= wire::kMostMessageSize &&
                       hello.buffers <= wire::kMostBuffers &&
                       hello.buffer_size <= wire::kMostBufferSize &&
                       (hello.buffers == 0 || hello.buffer_size >= kHeader) &&
                       hello.reserved == 0 && hello.more[0] == 0 && hello.more[1] == 0;
    if (!sound)
        return "its Hello makes no sense";
    try {
        out_.assign(hello.buffers, 0);
        free_.reserve(hello.buffers);
    } catch (const std::bad_alloc&) {
        return "no memory";
    }
    for (std::uint32_t i = hello.buffers; i-- > 0;)
        free_.push_back(static_cast<std::uint16_t>(i));
    theirs_ = hello;
    credit_ = hello.messages;
    largest_ = std::max(hello.message_size, hello.buffers == 0 ? 0 : hello.buffer_size) - kHeader;
    opened_ = true;
    return nullptr;
}

// Credit and large buffers that the peer gives back; false: it cannot mean that.
bool Channel::take_header(const wire::Header& header) noexcept {
    const std::uint32_t unconsumed = sent_ - header.consumed;
    if (unconsumed > sent_ - consumed_by_peer_ || header.returns > wire::kReturns)
        return false;
    consumed_by_peer_ = header.consumed;
    credit_ = theirs_.messages - unconsumed;
    for (std::uint16_t i = 0; i < header.returns; ++i) {
        const std::uint16_t buffer = header.returned[i];
        if (buffer >= out_.size() || out_[buffer] == 0)
            return false;
        out_[buffer] = 0;
        free_.push_back(buffer);  // within what accept_hello() has reserved
    }
    return true;
}

Channel::Event Channel::take_send(const cw_completion& c) noexcept {
    // That the connection has ended is told by the receives.
    const bool usual =
        c.status == CW_SUCCESS || c.status == CW_PEER_GONE || c.status == CW_FLUSHED || ended();
    if (!usual)
        (void)end(ErrorCode::protocol, "the other end has no room for what it offered room for");
    if ((c.id & kUncountedId) != 0)
        return usual ? Event::nothing : Event::ended;
    --unsent_;
    cookie_ = c.id;
    return Event::sent;
}

Channel::Event Channel::take_receive(const cw_completion& c) noexcept {
    if (ended())
        return Event::nothing;
    if (c.status == CW_LOCAL_LENGTH)
        return end(ErrorCode::protocol, "a message that is longer than its buffer");
    if (c.status != CW_SUCCESS) {
        const ErrorCode reason = pair_->reason();
        if (c.status == CW_PEER_GONE || reason == ErrorCode::none)
            return end(ErrorCode::peer_gone, "the other end has gone");
        return end(reason, "the connection has ended");
    }
    const auto receive = static_cast<std::uint32_t>(c.id);
    const auto receives = static_cast<std::uint32_t>(held_.size()) - terms_.buffers;
    const std::byte* at = receive_at(receive);
    std::uint32_t token = receive;
    std::uint32_t most = receive_size_;
    message_.handle = memory_->handle();
    if (!opened_) {
        const char* const wrong =
            c.opcode == CW_RECEIVE ? accept_hello(at, c.length) : "no Hello came first";
        if (wrong != nullptr)
            return end(ErrorCode::protocol, wrong);
        repost(receive);
        if (!greeting_sent_) {
            if (auto greeted = greet(); !greeted.has_value())
                return end(greeted.error().code, "the Hello could not be sent");
        }
        return Event::opened;
    }
    if (c.opcode == CW_WRITE) {
        repost(receive);
        if (c.has_immediate == 0 || c.immediate >= terms_.buffers ||
            held_[receives + c.immediate] != Place::free) {
            return end(ErrorCode::protocol, "a large buffer was filled that was not free");
        }
        token = receives + c.immediate;
        at = buffers_at_ + std::size_t{c.immediate} * buffer_stride_;
        most = buffer_stride_;
        message_.handle = large_->handle();
    }
    if (c.length < kHeader || c.length > most)
        return end(ErrorCode::protocol, "a message without a Header, or longer than its buffer");
    wire::Header header;
    std::memcpy(&header, at, sizeof header);
    if (!take_header(header))
        return end(ErrorCode::protocol, "credit for what was never sent");
    if (header.kind == 0) {
        if (c.opcode == CW_WRITE || c.length != kHeader)
            return end(ErrorCode::protocol, "credit with something behind it");
        repost(receive);
        return Event::nothing;
    }
    message_.kind = header.kind;
    message_.tag = header.tag;
    message_.data = at + kHeader;
    message_.length = c.length - kHeader;
    message_.token = token;
    held_[token] = Place::held;
    ++holds_;
    large_holds_ += c.opcode == CW_WRITE ? 1 : 0;
    return Event::message;
}

Channel::Event Channel::take(const cw_completion& c) noexcept {
    return (c.id & kReceiveId) != 0 ? take_receive(c) : take_send(c);
}

}  // namespace causeway::io::messaging
