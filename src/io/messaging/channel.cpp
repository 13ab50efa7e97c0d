#include "io/messaging/channel.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "client/last_error.hpp"
#include "io/messaging/ids.hpp"

namespace causeway::io::messaging {
namespace {

namespace wire = abi::messaging;

constexpr std::uint32_t kHeader = sizeof(wire::Header);
constexpr std::uint32_t kLine = 64;
constexpr std::uint32_t kSpareSends = 16;  // Hello and credit
static_assert(kHeader + Channel::kMostPrefix <= kLine);

[[nodiscard]] constexpr std::uint32_t whole_lines(std::uint32_t bytes) noexcept {
    return (bytes + kLine - 1) / kLine * kLine;
}

[[nodiscard]] constexpr std::uint32_t ring_for(std::uint32_t transfers) noexcept {
    return std::clamp(std::bit_ceil(transfers), abi::kMinRingEntries, abi::kMaxRingEntries);
}

[[nodiscard]] constexpr std::uint32_t send_ring(const ChannelTerms& terms) noexcept {
    return ring_for(terms.sends + kSpareSends);
}

[[nodiscard]] constexpr std::uint32_t receives_of(const ChannelTerms& terms) noexcept {
    return terms.messages + terms.buffers + wire::spare_receives(terms.buffers);
}

[[nodiscard]] Result<void> check_terms(const ChannelTerms& terms) {
    if (terms.messages == 0 || terms.messages > wire::kMostMessages ||
        terms.buffers > wire::kMostBuffers || terms.message + kHeader > wire::kMostMessageSize ||
        terms.buffer > wire::kMostBufferSize - kHeader ||
        terms.place > wire::kMostBufferSize - kHeader || terms.sends == 0 ||
        terms.sends > wire::kMostMessages) {
        return fail(ErrorCode::invalid_argument,
                    "an I/O channel with buffers that are too many or too large");
    }
    return {};
}

[[nodiscard]] Result<std::unique_ptr<client::Region>> allocate(
    const std::shared_ptr<client::Partition>& partition, std::uint64_t size, std::uint32_t access) {
    CW_TRY_ASSIGN(
        client::Region region,
        client::Region::allocate(partition, size, {.access = CW_ACCESS_EXPORTABLE | access}));
    return std::make_unique<client::Region>(std::move(region));
}

}  // namespace

Channel::Channel(const ChannelTerms& terms, std::shared_ptr<client::Partition> partition) noexcept
    : terms_(terms), partition_(std::move(partition)) {}

Result<std::unique_ptr<Channel>> Channel::create(const ipc::inner::Port& port,
                                                 const ChannelTerms& terms) {
    CW_TRY(check_terms(terms));
    auto channel = std::make_unique<Channel>(terms, port.partition());
    client::QueuePairTerms pair;
    pair.send_entries = send_ring(terms);
    pair.receive_entries = ring_for(receives_of(terms));
    pair.executor = terms.executor;
    pair.patience = abi::Patience::error;  // who gives credit has its receives posted
    pair.user = channel.get();
    channel->pair_ = std::make_unique<client::QueuePair>(port.partition(), port.queue(), pair);
    CW_TRY(channel->pair_->open());
    CW_TRY(channel->furnish());
    return channel;
}

Result<void> Channel::furnish() {
    const std::uint32_t receives = receives_of(terms_);
    const std::uint64_t places = send_ring(terms_) + 1;
    receive_size_ = std::max(terms_.message + kHeader, wire::kLeastMessageSize);
    receive_stride_ = whole_lines(receive_size_);
    place_stride_ = whole_lines(std::max(terms_.place + kHeader, wire::kLeastMessageSize));
    const std::uint64_t receive_bytes = std::uint64_t{receives} * receive_stride_;
    const std::uint64_t place_bytes = places * place_stride_;
    CW_TRY_ASSIGN(memory_, allocate(partition_, receive_bytes + place_bytes + places * kLine, 0));
    receives_at_ = memory_->data();
    places_at_ = place_ = receives_at_ + receive_bytes;
    places_end_ = headings_at_ = heading_ = places_at_ + place_bytes;
    headings_end_ = headings_at_ + places * kLine;
    if (terms_.buffers != 0) {
        buffer_stride_ = whole_lines(terms_.buffer + kHeader);
        CW_TRY_ASSIGN(large_, allocate(partition_, std::uint64_t{terms_.buffers} * buffer_stride_,
                                       CW_ACCESS_REMOTE_WRITE));
        buffers_at_ = large_->data();
    }
    held_.assign(receives + terms_.buffers, Place::free);
    emptied_.reserve(terms_.buffers);
    for (std::uint32_t i = 0; i < receives; ++i) {
        const cw_slice slice{receive_at(i), receive_size_, memory_->handle()};
        if (const ErrorCode code = pair_->post_receive(&slice, 1, kReceiveId | i);
            code != ErrorCode::none) {
            return fail(code, client::last_error_text());
        }
    }
    return {};
}

Result<void> Channel::begin(const std::string& target) {
    CW_TRY(pair_->connect(target, 0));
    return {};
}

Result<void> Channel::greet() {
    wire::Hello mine{};
    mine.magic = wire::kMagic;
    mine.major = wire::kMajor;
    mine.minor = wire::kMinor;
    mine.service = terms_.service;
    mine.features = terms_.features;
    mine.messages = terms_.messages;
    mine.message_size = receive_size_;
    mine.buffers = terms_.buffers;
    mine.buffer_size = buffer_stride_;
    if (large_) {
        const cw_remote remote = large_->remote(0);
        mine.handle = remote.handle;
        mine.generation = remote.generation;
        mine.address = remote.address;
    }
    std::memcpy(place_, &mine, sizeof mine);
    const cw_slice slice{place_, sizeof mine, memory_->handle()};
    const ErrorCode code =
        pair_->post_send({abi::Opcode::send, kUncountedId, CW_UNSIGNALED, 0, nullptr}, &slice, 1);
    if (code != ErrorCode::none)
        return fail(code, client::last_error_text());
    place_ += place_stride_;
    if (place_ == places_end_)
        place_ = places_at_;
    greeting_sent_ = true;
    return {};
}

void Channel::fill_header(std::byte* at, std::uint16_t kind, std::uint64_t tag) noexcept {
    wire::Header header{};
    header.kind = kind;
    header.tag = tag;
    header.consumed = consumed_ + released_;
    const std::size_t count = std::min<std::size_t>(emptied_.size(), wire::kReturns);
    header.returns = static_cast<std::uint16_t>(count);
    for (std::size_t i = 0; i < count; ++i)
        header.returned[i] = emptied_[emptied_.size() - count + i];
    std::memcpy(at, &header, sizeof header);
}

// What the Header said has been sent.
void Channel::note_given_back() noexcept {
    consumed_ += std::exchange(released_, 0);
    const std::size_t receives = held_.size() - terms_.buffers;
    for (std::uint32_t i = 0; i < wire::kReturns && !emptied_.empty(); ++i) {
        held_[receives + emptied_.back()] = Place::free;
        emptied_.pop_back();
    }
}

// Posts a message of `length` bytes without its Header, which the first slice holds.
ErrorCode Channel::post(std::span<const cw_slice> slices, std::uint32_t length, std::uint64_t id,
                        std::uint32_t flags) noexcept {
    client::SendOrder order{abi::Opcode::send, id, flags, 0, nullptr};
    const bool small = fits_message(length);
    cw_remote to{};
    if (!small) {
        const std::uint16_t buffer = free_.back();
        to = {theirs_.handle, theirs_.generation,
              theirs_.address + std::uint64_t{buffer} * theirs_.buffer_size};
        order.opcode = abi::Opcode::write;
        order.flags |= CW_IMMEDIATE;
        order.immediate = buffer;
        order.remote = &to;
    }
    const ErrorCode code =
        pair_->post_send(order, slices.data(), static_cast<std::uint32_t>(slices.size()));
    if (code != ErrorCode::none)
        return code;
    note_given_back();
    if (small) {
        ++sent_;
        --credit_;
    } else {
        out_[free_.back()] = 1;
        free_.pop_back();
    }
    return code;
}

ErrorCode Channel::send_place(std::uint16_t kind, std::uint64_t tag,
                              std::uint32_t length) noexcept {
    if (ended())
        return reason_;
    if (!has_room(length))
        return ErrorCode::again;
    fill_header(place_, kind, tag);
    const cw_slice slice{place_, length + kHeader, memory_->handle()};
    const ErrorCode code = post({&slice, 1}, length, kUncountedId, CW_UNSIGNALED);
    if (code == ErrorCode::none) {
        place_ += place_stride_;
        if (place_ == places_end_)
            place_ = places_at_;
    }
    return code;
}

ErrorCode Channel::send(std::uint16_t kind, std::uint64_t tag, Prefix prefix,
                        std::span<const cw_slice> slices, std::uint64_t cookie,
                        After after) noexcept {
    CW_ASSERT(prefix.size() <= kMostPrefix && cookie <= kMostCookie);
    if (ended())
        return reason_;
    std::array<cw_slice, kMostSlices + 1> all;
    std::uint64_t length = prefix.size();
    if (slices.size() > kMostSlices) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "%llu slices in a message; there may be %u", slices.size(),
                                 kMostSlices);
    }
    for (std::size_t i = 0; i < slices.size(); ++i) {
        all[i + 1] = slices[i];
        length += slices[i].length;
    }
    if (length > largest_) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "a message of %llu bytes; the peer takes %u", length, largest_);
    }
    if (!has_room(static_cast<std::uint32_t>(length)))
        return ErrorCode::again;
    fill_header(heading_, kind, tag);
    if (!prefix.empty())
        std::memcpy(heading_ + kHeader, prefix.data(), prefix.size());
    all[0] = {heading_, kHeader + static_cast<std::uint32_t>(prefix.size()), memory_->handle()};
    const ErrorCode code = post({all.data(), slices.size() + 1}, static_cast<std::uint32_t>(length),
                                cookie, after == After::puts ? CW_FENCE : 0U);
    if (code == ErrorCode::none) {
        ++unsent_;
        heading_ += kLine;
        if (heading_ == headings_end_)
            heading_ = headings_at_;
    }
    return code;
}

ErrorCode Channel::put(const cw_remote& to, std::span<const cw_slice> slices) noexcept {
    if (ended())
        return reason_;
    return pair_->post_send({abi::Opcode::write, kUncountedId, CW_UNSIGNALED, 0, &to},
                            slices.data(), static_cast<std::uint32_t>(slices.size()));
}

// By a message of its own: as soon as an eighth of what the peer may send is free again, or none
// of it is left to the peer.
void Channel::give_back_if_due() noexcept {
    while (is_open()) {
        const auto emptied = static_cast<std::uint32_t>(emptied_.size());
        const bool messages =
            released_ != 0 && (released_ >= std::max(terms_.messages / 8, 1U) ||
                               holds_ - large_holds_ + released_ >= terms_.messages);
        const bool large =
            emptied != 0 && (emptied >= std::clamp(terms_.buffers / 8, 1U, wire::kReturns) ||
                             large_holds_ + emptied >= terms_.buffers);
        if (!messages && !large)
            return;
        fill_header(heading_, 0, 0);
        const cw_slice slice{heading_, kHeader, memory_->handle()};
        const ErrorCode code = pair_->post_send(
            {abi::Opcode::send, kUncountedId, CW_UNSIGNALED, 0, nullptr}, &slice, 1);
        if (code != ErrorCode::none)
            return;  // the send queue is full: the next message or release tries again
        heading_ += kLine;
        if (heading_ == headings_end_)
            heading_ = headings_at_;
        note_given_back();
    }
}

void Channel::repost(std::uint32_t receive) noexcept {
    const cw_slice slice{receive_at(receive), receive_size_, memory_->handle()};
    // Where posting fails the connection has ended; that comes yet.
    (void)pair_->post_receive(&slice, 1, kReceiveId | receive);
}

void Channel::release(std::uint32_t token) noexcept {
    CW_ASSERT(token < held_.size() && held_[token] == Place::held);
    const auto receives = static_cast<std::uint32_t>(held_.size()) - terms_.buffers;
    held_[token] = token < receives ? Place::free : Place::released;
    --holds_;
    large_holds_ -= token < receives ? 0 : 1;
    if (ended())
        return;
    if (token < receives) {
        repost(token);
        ++released_;
    } else {
        emptied_.push_back(static_cast<std::uint16_t>(token - receives));
    }
    give_back_if_due();
}

Channel::Event Channel::end(ErrorCode reason, const char* why) noexcept {
    if (reason_ == ErrorCode::none) {
        reason_ = reason;
        why_ = why;
    }
    credit_ = 0;
    free_.clear();
    return Event::ended;
}

}  // namespace causeway::io::messaging
