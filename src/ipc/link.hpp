// Link: one connection of the rooms above the queue pair: its receive buffers, the places that
// sends are put together in, the greeting, and the credit by which neither side sends what the
// other has no buffer for.
//
// Threading: its port's thread.
// Ownership: owns queue pair and buffers. A completion that names a link must be handed to take().
//
// Invariants:
//  1. Every receive buffer is posted, or held by whoever was given its message, or released and
//     posted before credit for it goes out.
//  2. The peer gets credit as soon as an eighth of its window is free, or as all of it would be
//  used
//     up: one held message costs its own buffer and no more.
//  3. The place that send() takes a message from is not written to before its Send has ended: there
//     is one more of them than the send queue has entries.
//  4. Sending and taking allocate nothing and make no system call but to wake a sleeping peer.
//  5. No message is sent that does not fit into place(), whatever the peer's greeting says, and
//  what
//     a connecting end allocates on it stays within its LinkTerms' limits.
#pragma once

#include <causeway/causeway.h>
#include <causeway/abi/ipc.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/queue_pair.hpp"
#include "client/region.hpp"
#include "ipc/port.hpp"

namespace causeway::ipc::inner {

// What one end of a connection is to be.
struct LinkTerms {
    abi::IpcKind kind = abi::IpcKind::message_queue;
    std::uint32_t largest = 0;         // bytes of a message to this end; 0: none but credits come
    std::uint32_t window = 0;          // messages to this end that are held or not yet taken
    std::uint32_t largest_answer = 0;  // requests: bytes of an answer from this end
    std::uint32_t depth = 0;           // messages from this end, at most
    // The connecting end: what it is made for at most, in bytes, whatever the other end says. 0: as
    // the other end says, as long as it takes no more than kMostUnasked.
    std::uint32_t limit = 0;         // of a message either way (not of an answer)
    std::uint32_t limit_answer = 0;  // requests: of an answer
    abi::Executor executor = abi::Executor::any;
};

class Link {
public:
    // What a completion was.
    enum class Event {
        nothing,   // greeting or credit: there may be room now
        message,   // length(), buffer(), data(), has_tag(), tag(): until the next take()
        no_bytes,  // a message without bytes and without immediate
        farewell,  // without bytes, with one: of a queue's sender
        ended,     // the connection has; reason() says why
    };

    [[nodiscard]] static Result<std::unique_ptr<Link>> create(const Port& port,
                                                              const LinkTerms& terms);
    Link(const LinkTerms& terms, std::shared_ptr<client::Partition> partition) noexcept;

    [[nodiscard]] client::QueuePair& pair() noexcept { return *pair_; }
    [[nodiscard]] const char* peer() const noexcept { return pair_->peer(); }

    // The listening end: buffers are posted before the connection is there; welcome() follows it.
    [[nodiscard]] Result<void> prepare();
    [[nodiscard]] Result<void> welcome() { return greet(terms_.window); }
    // The connecting end: begins to connect; the peer's greeting brings the rest. After `again`
    // (the other partition is on its way back to the adapter) it may be called again.
    [[nodiscard]] Result<void> begin(const std::string& target);

    // Has the peer's greeting come, so that sending is possible?
    [[nodiscard]] bool greeted() const noexcept { return greeted_; }
    [[nodiscard]] const abi::Greeting& peer_terms() const noexcept { return theirs_; }
    [[nodiscard]] bool ended() const noexcept { return reason_ != ErrorCode::none; }
    [[nodiscard]] ErrorCode reason() const noexcept { return reason_; }
    // What was wrong with the peer's greeting, or kept this end from following it; else empty.
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }
    // Sets the thread's error text; `what` is a literal with no conversions.
    ErrorCode ended_error(const char* what) const noexcept;

    [[nodiscard]] Event take(const cw_completion& completion) noexcept;
    [[nodiscard]] std::uint32_t buffer() const noexcept { return buffer_; }
    [[nodiscard]] std::byte* data_of(std::uint32_t buffer) const noexcept {
        return receives_at_ + std::size_t{buffer} * receive_stride_;
    }
    // Gives the buffer of a message back: credit (queues, pipes), or none (requests, answers).
    void release(std::uint32_t buffer) noexcept;
    [[nodiscard]] bool held(std::uint32_t buffer) const noexcept {
        return buffer < held_.size() && held_[buffer] != 0;
    }
    [[nodiscard]] std::uint32_t holds() const noexcept { return holds_; }
    [[nodiscard]] ErrorCode repost(std::uint32_t buffer) noexcept;

    // Messages that may be sent now.
    [[nodiscard]] std::uint32_t credit() const noexcept { return credit_; }
    // Where the next message is put together, of at most peer_terms().largest bytes.
    [[nodiscard]] std::byte* place() const noexcept { return place_; }
    // Sends what stands in place(). Uses up credit() (but control() does not). Any other answer
    // than none and again: the link ends, as soon as what the peer had sent has been taken.
    [[nodiscard]] ErrorCode send(std::uint32_t length, std::uint32_t flags,
                                 std::uint32_t immediate) noexcept {
        const ErrorCode code = post(length, flags, immediate);
        if (code == ErrorCode::none) {
            ++sent_;
            --credit_;
        }
        return code;
    }
    // Beyond all credit: greeting, farewell, end of stream. They end with a completion, and
    // said_all() becomes true once all of them have.
    [[nodiscard]] ErrorCode control(std::uint32_t length, std::uint32_t flags,
                                    std::uint32_t immediate) noexcept;
    [[nodiscard]] bool said_all() const noexcept { return unsaid_ == 0; }
    // Messages of this end of which the peer has not said that they are consumed.
    [[nodiscard]] std::uint32_t unconsumed() const noexcept { return sent_ - consumed_by_peer_; }
    // The credit that a pipe's data carries beside it: all that was released.
    [[nodiscard]] std::uint32_t consume() noexcept;
    // Requests and answers: sends what stands in place(), without counting.
    [[nodiscard]] ErrorCode post(std::uint32_t length, std::uint32_t flags,
                                 std::uint32_t immediate) noexcept;

    std::uint32_t index = 0;  // among the links of whoever owns it

private:
    [[nodiscard]] Result<void> furnish(std::uint32_t receives, std::uint32_t send_size);
    [[nodiscard]] Result<void> accept_greeting(std::uint32_t buffer, std::uint32_t length);
    [[nodiscard]] Result<void> check_greeting(const abi::Greeting& theirs) const;
    [[nodiscard]] Result<void> follow_greeting();
    [[nodiscard]] std::uint64_t places() const noexcept;
    [[nodiscard]] Result<void> greet(std::uint32_t window);
    void end(ErrorCode reason) noexcept;
    void post_released() noexcept;
    [[nodiscard]] bool take_credit(std::uint32_t consumed) noexcept;
    void give_credit() noexcept;
    void give_credit_if_due() noexcept {
        if (released_ != 0 && (released_ >= quantum_ || holds_ + released_ >= window_))
            give_credit();
    }
    [[nodiscard]] Event take_control(const cw_completion& completion) noexcept;

    std::unique_ptr<client::QueuePair> pair_;
    std::byte* place_ = nullptr;  // next to be sent from
    std::byte* receives_at_ = nullptr;
    std::byte* sends_at_ = nullptr;
    std::byte* sends_end_ = nullptr;
    std::uint32_t receive_stride_ = 0;
    std::uint32_t receive_size_ = 0;
    std::uint32_t send_stride_ = 0;
    std::uint32_t handle_ = 0;
    std::uint32_t credit_ = 0;
    std::uint32_t sent_ = 0;
    std::uint32_t consumed_by_peer_ = 0;
    std::uint32_t buffer_ = 0;
    std::uint32_t holds_ = 0;     // messages taken and not released
    std::uint32_t released_ = 0;  // and for which no credit was given
    std::uint32_t consumed_ = 0;  // as the peer is told
    std::uint32_t window_ = 0;    // of the peer, toward this end
    std::uint32_t quantum_ = 1;
    std::uint32_t unsaid_ = 0;
    bool greeted_ = false;
    ErrorCode reason_ = ErrorCode::none;
    std::string complaint_;
    std::vector<std::uint32_t> free_;  // released and not posted
    std::vector<std::uint8_t> held_;   // by buffer
    abi::Greeting theirs_{};
    LinkTerms terms_;
    std::shared_ptr<client::Partition> partition_;
    std::unique_ptr<client::Region> first_;  // the connecting end's, for the greeting
    std::unique_ptr<client::Region> memory_;
};

}  // namespace causeway::ipc::inner
