#include "ipc/link.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "client/last_error.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {
namespace {

constexpr std::uint32_t kLine = 64;
constexpr std::uint32_t kFirstBuffer = UINT32_MAX;  // the connecting end's receive of the greeting
constexpr std::uint32_t kLeastBuffer = 64;          // a greeting fits, and what comes inline

[[nodiscard]] constexpr std::uint32_t whole_lines(std::uint32_t bytes) noexcept {
    return (bytes + kLine - 1) / kLine * kLine;
}

[[nodiscard]] constexpr std::uint32_t ring_for(std::uint32_t messages) noexcept {
    return std::clamp(std::bit_ceil(messages), abi::kMinRingEntries, abi::kMaxRingEntries);
}

[[nodiscard]] Result<std::unique_ptr<client::Region>> allocate(
    const std::shared_ptr<client::Partition>& partition, std::uint64_t size) {
    CW_TRY_ASSIGN(client::Region region,
                  client::Region::allocate(partition, size, {.access = CW_ACCESS_EXPORTABLE}));
    return std::make_unique<client::Region>(std::move(region));
}

}  // namespace

Link::Link(const LinkTerms& terms, std::shared_ptr<client::Partition> partition) noexcept
    : window_(terms.window),
      quantum_(std::max(terms.window / 8, 1U)),
      terms_(terms),
      partition_(std::move(partition)) {}

Result<std::unique_ptr<Link>> Link::create(const Port& port, const LinkTerms& terms) {
    auto link = std::make_unique<Link>(terms, port.partition());
    client::QueuePairTerms pair;
    pair.send_entries = ring_for(terms.depth + abi::kSpareReceives);
    pair.receive_entries = ring_for(terms.window + abi::kSpareReceives + 1);
    pair.executor = terms.executor;
    pair.user = link.get();
    link->pair_ = std::make_unique<client::QueuePair>(port.partition(), port.queue(), pair);
    CW_TRY(link->pair_->open());
    return link;
}

std::uint64_t Link::places() const noexcept {
    return std::uint64_t{ring_for(terms_.depth + abi::kSpareReceives)} + 1;
}

Result<void> Link::furnish(std::uint32_t receives, std::uint32_t send_size) {
    receive_size_ = std::max(terms_.largest, kLeastBuffer);
    receive_stride_ = whole_lines(receive_size_);
    send_stride_ = whole_lines(std::max(send_size, kLeastBuffer));
    const std::uint64_t receive_bytes = std::uint64_t{receives} * receive_stride_;
    CW_TRY_ASSIGN(memory_, allocate(partition_, receive_bytes + places() * send_stride_));
    handle_ = memory_->handle();
    receives_at_ = memory_->data();
    sends_at_ = place_ = receives_at_ + receive_bytes;
    sends_end_ = sends_at_ + places() * send_stride_;
    held_.assign(receives, 0);
    free_.reserve(receives);
    for (std::uint32_t i = 0; i < receives; ++i) {
        if (const ErrorCode code = repost(i); code != ErrorCode::none)
            return fail(code, client::last_error_text());
    }
    return {};
}

Result<void> Link::prepare() {
    return furnish(terms_.window + abi::kSpareReceives,
                   terms_.kind == abi::IpcKind::pipe ? terms_.largest : terms_.largest_answer);
}

// The greeting goes first, in the same place as everything later.
Result<void> Link::greet(std::uint32_t window) {
    abi::Greeting mine{};
    mine.magic = abi::kGreetingMagic;
    mine.version = abi::kIpcVersion;
    mine.kind = static_cast<std::uint16_t>(terms_.kind);
    mine.largest = terms_.largest;
    mine.window = window;
    mine.largest_answer = terms_.largest_answer;
    std::memcpy(place_, &mine, sizeof mine);
    if (const ErrorCode code = control(sizeof mine, 0, 0); code != ErrorCode::none)
        return fail(code, client::last_error_text());
    return {};
}

Result<void> Link::begin(const std::string& target) {
    if (!first_) {
        CW_TRY_ASSIGN(first_, allocate(partition_, kLeastBuffer));
        const cw_slice slice{first_->data(), kLeastBuffer, first_->handle()};
        if (const ErrorCode code = pair_->post_receive(&slice, 1, kFirstBuffer);
            code != ErrorCode::none) {
            return fail(code, client::last_error_text());
        }
    }
    return pair_->connect(target, 0);
}

ErrorCode Link::repost(std::uint32_t buffer) noexcept {
    const cw_slice slice{data_of(buffer), receive_size_, handle_};
    return pair_->post_receive(&slice, 1, buffer);
}

ErrorCode Link::post(std::uint32_t length, std::uint32_t flags, std::uint32_t immediate) noexcept {
    const cw_slice slice{place_, length, handle_};
    const ErrorCode code = pair_->post_send(
        {abi::Opcode::send, 0, flags | CW_UNSIGNALED, immediate, nullptr}, &slice, 1);
    if (code == ErrorCode::none) {
        place_ += send_stride_;
        if (place_ == sends_end_)
            place_ = sends_at_;
    } else if (code != ErrorCode::again) {
        credit_ = 0;  // what the peer had sent before it went is still taken
    }
    return code;
}

ErrorCode Link::control(std::uint32_t length, std::uint32_t flags,
                        std::uint32_t immediate) noexcept {
    const cw_slice slice{place_, length, handle_};
    const ErrorCode code =
        pair_->post_send({abi::Opcode::send, 0, flags, immediate, nullptr}, &slice, 1);
    if (code == ErrorCode::none) {
        ++unsaid_;
        place_ += send_stride_;
        if (place_ == sends_end_)
            place_ = sends_at_;
    }
    return code;
}

void Link::end(ErrorCode reason) noexcept {
    if (reason_ == ErrorCode::none)
        reason_ = reason;
    credit_ = 0;
}

ErrorCode Link::ended_error(const char* what) const noexcept {
    return client::set_error(reason_, what);
}

// The peer's greeting. A connecting end gets its buffers now, and greets back.
Result<void> Link::accept_greeting(std::uint32_t buffer, std::uint32_t length) {
    const bool connecting = buffer == kFirstBuffer;
    abi::Greeting theirs{};
    if (length != sizeof theirs)
        return fail(ErrorCode::protocol, "what answers there is no queue, pipe or server");
    std::memcpy(&theirs, connecting ? first_->data() : data_of(buffer), sizeof theirs);
    CW_TRY(check_greeting(theirs));
    // A listening end has its buffers already, for what it said itself.
    if (!connecting && terms_.kind == abi::IpcKind::pipe && theirs.largest > terms_.largest)
        return fail(ErrorCode::protocol, "its greeting asks for more than it was offered");
    theirs_ = theirs;
    credit_ = std::min(theirs.window, terms_.depth);
    window_ = std::min(terms_.window, theirs.window);
    quantum_ = std::max(window_ / 8, 1U);
    if (connecting) {
        CW_TRY(follow_greeting());
    } else {
        (void)repost(buffer);  // of no use to one that has gone; what it sent before is taken yet
    }
    greeted_ = true;
    return {};
}

// Does it make sense at all?
Result<void> Link::check_greeting(const abi::Greeting& theirs) const {
    if (theirs.magic != abi::kGreetingMagic ||
        theirs.kind != static_cast<std::uint16_t>(terms_.kind)) {
        return fail(ErrorCode::protocol,
                    "what answers there is of another kind (message queue, pipe, requests)");
    }
    if (theirs.version != abi::kIpcVersion) {
        return fail_format(ErrorCode::version,
                           "it speaks version %u, this library %u: update the older libcauseway",
                           theirs.version, abi::kIpcVersion);
    }
    const bool pipe = terms_.kind == abi::IpcKind::pipe;
    const bool listens = !first_;
    const bool sends_to_it = pipe || !listens;  // more than credits and answers
    const bool sense =
        std::all_of(std::begin(theirs.reserved), std::end(theirs.reserved),
                    [](std::uint32_t word) { return word == 0; }) &&
        theirs.window != 0 && theirs.window <= kMostDepth && theirs.largest <= kMostLargest &&
        theirs.largest_answer <= kMostLargest && (theirs.largest != 0 || !sends_to_it) &&
        (theirs.largest_answer != 0 || listens || terms_.kind != abi::IpcKind::requests);
    if (!sense)
        return fail(ErrorCode::protocol, "its greeting makes no sense");
    return {};
}

// The connecting end: as large as the other end says, within its own limits.
Result<void> Link::follow_greeting() {
    const bool requests = terms_.kind == abi::IpcKind::requests;
    if (terms_.limit != 0)
        theirs_.largest = std::min(theirs_.largest, terms_.limit);
    if (requests && terms_.limit_answer != 0 && theirs_.largest_answer > terms_.limit_answer) {
        return fail_format(ErrorCode::limit_reached,
                           "its answers may have %u bytes, this end is made for %u: set its "
                           "max_answer to more",
                           theirs_.largest_answer, terms_.limit_answer);
    }
    if (requests)
        terms_.largest = theirs_.largest_answer;
    if (terms_.kind == abi::IpcKind::pipe)
        terms_.largest = theirs_.largest;
    const std::uint32_t receives = terms_.window + abi::kSpareReceives;
    const std::uint64_t bytes = std::uint64_t{receives} * whole_lines(terms_.largest) +
                                places() * whole_lines(theirs_.largest);
    const bool asked = terms_.limit != 0 && (!requests || terms_.limit_answer != 0);
    if (!asked && bytes > kMostUnasked) {
        return fail_format(ErrorCode::limit_reached,
                           "its messages are so large that their buffers would take %llu MiB "
                           "here: where that is meant, say so by this end's max_message%s, or take "
                           "a smaller depth",
                           static_cast<unsigned long long>(bytes >> 20),
                           requests ? " and max_answer" : "");
    }
    CW_TRY(furnish(receives, theirs_.largest));
    return greet(terms_.kind == abi::IpcKind::pipe ? terms_.window : credit_);
}

bool Link::take_credit(std::uint32_t consumed) noexcept {
    const std::uint32_t unconsumed = sent_ - consumed;
    const std::uint32_t window = std::min(theirs_.window, terms_.depth);
    if (!greeted_ || unconsumed > sent_ - consumed_by_peer_ || unconsumed > window)
        return false;
    consumed_by_peer_ = consumed;
    credit_ = window - unconsumed;
    return true;
}

void Link::post_released() noexcept {
    for (const std::uint32_t buffer : free_)
        (void)repost(buffer);
    free_.clear();
}

std::uint32_t Link::consume() noexcept {
    post_released();
    consumed_ += std::exchange(released_, 0);
    return consumed_;
}

void Link::give_credit() noexcept {
    post_released();
    // `again`: the send queue is full of earlier credits; the next release tries anew.
    if (post(0, CW_IMMEDIATE, consumed_ + released_) == ErrorCode::none) {
        consumed_ += released_;
        released_ = 0;
    }
}

void Link::release(std::uint32_t buffer) noexcept {
    held_[buffer] = 0;
    --holds_;
    if (ended())
        return;
    if (terms_.kind == abi::IpcKind::requests) {
        (void)repost(buffer);
        return;
    }
    free_.push_back(buffer);  // within what furnish() has reserved
    ++released_;
    give_credit_if_due();
}

// What is not a message of the user's.
Link::Event Link::take_control(const cw_completion& c) noexcept {
    if (c.status != CW_SUCCESS) {
        const ErrorCode reason = pair_->reason();
        if (c.status == CW_PEER_GONE) {
            end(ErrorCode::peer_gone);
        } else if (pair_->state() == abi::QueuePairState::connected) {
            end(ErrorCode::protocol);  // a Send that the peer's buffers had no room for
        } else {
            end(reason == ErrorCode::none ? ErrorCode::peer_gone : reason);
        }
        return Event::ended;
    }
    if (c.opcode == CW_SEND) {
        --unsaid_;
        return Event::nothing;
    }
    const auto buffer = static_cast<std::uint32_t>(c.id);
    if (!greeted_) {
        try {
            auto accepted = accept_greeting(buffer, c.length);
            if (accepted.has_value())
                return Event::nothing;
            complaint_ = accepted.error().text;
            client::set_error(accepted.error());
            end(accepted.error().code);
        } catch (const std::bad_alloc&) {
            end(ErrorCode::no_memory);
        }
        return Event::ended;
    }
    // No bytes. (Where posting fails the connection has ended; that comes yet.)
    (void)repost(buffer);
    if (c.has_immediate == 0)
        return Event::no_bytes;
    if (terms_.kind == abi::IpcKind::message_queue && terms_.largest != 0)
        return Event::farewell;
    if (take_credit(c.immediate))
        return Event::nothing;
    end(ErrorCode::protocol);
    return Event::ended;
}

Link::Event Link::take(const cw_completion& c) noexcept {
    const bool queue = terms_.kind == abi::IpcKind::message_queue;
    const bool message = c.status == CW_SUCCESS && c.opcode == CW_RECEIVE && greeted_ &&
                         (queue ? c.has_immediate == 0 && terms_.largest != 0
                                : c.length != 0 || terms_.kind == abi::IpcKind::requests);
    if (!message || ended()) [[unlikely]]
        return ended() ? Event::ended : take_control(c);
    buffer_ = static_cast<std::uint32_t>(c.id);
    held_[buffer_] = 1;
    ++holds_;
    if (terms_.kind == abi::IpcKind::pipe && c.has_immediate != 0 && !take_credit(c.immediate)) {
        end(ErrorCode::protocol);
        return Event::ended;
    }
    if (terms_.kind != abi::IpcKind::requests)
        give_credit_if_due();
    return Event::message;
}

}  // namespace causeway::ipc::inner
