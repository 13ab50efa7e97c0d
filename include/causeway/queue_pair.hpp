// A connection to one peer: posted descriptors are executed in order, each ends in a completion.
#pragma once

#include <causeway/completion_queue.hpp>
#include <causeway/error.hpp>
#include <causeway/region.hpp>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace causeway {

struct PostOptions;

// A number that travels beside the data.
struct Immediate {
    // What it is.
    std::uint32_t value;

    // Options that send it, and are otherwise the default.
    operator PostOptions() const noexcept;  // NOLINT: post_send(s, id, Immediate{7})
};

// An aggregate: post_send(s, id, {.immediate = Immediate{7}, .signaled = false}).
struct PostOptions {
    // Travels beside the data of a Send or a Write.
    std::optional<Immediate> immediate{};
    bool signaled = true;  // false: no completion on success
    bool fence = false;    // flushed if a descriptor since the previous fence has failed
};

inline Immediate::operator PostOptions() const noexcept { return {.immediate = *this}; }

// What a send does while the peer has posted no receive.
struct Patience {
    // What to do: wait, fail, or wait for `limit`.
    cw_patience kind = CW_BLOCK;
    // How long, where the wait is bounded.
    std::chrono::nanoseconds limit{0};

    // Waits for as long as it takes.
    [[nodiscard]] static Patience block() noexcept { return {}; }
    // Ends the send with Status::receiver_not_ready at once.
    [[nodiscard]] static Patience fail() noexcept { return {CW_FAIL, {}}; }
    // Waits, and then ends it so.
    [[nodiscard]] static Patience bounded(std::chrono::nanoseconds limit) noexcept {
        return {CW_BOUNDED, limit};
    }
};

// How a queue pair is made.
struct QueuePairOptions {
    // Where its completions arrive; must outlive it.
    CompletionQueue& completions;
    std::uint32_t send_entries = 64;     // powers of two, 4 to 65536
    std::uint32_t receive_entries = 64;  // likewise
    // Of its sends.
    Patience patience{};
    void* user = nullptr;            // returned by Completion::user()
    const char* executor = nullptr;  // nullptr: policy decides; "adapter", "direct"
};

// One end of a connection. Moved, not copied; closed when it goes. Its calls belong to the thread
// that uses its completion queue.
//
// Posting: a list has at most 32 slices. The memory belongs to the fabric until the completion, but
// a Send of at most 32 bytes is copied at once. `id` comes back with the completion. Errors: again
// (the queue is full: take completions first), invalid_argument (a slice beyond its region),
// wrong_state (neither connecting nor connected), peer_gone.
class QueuePair {
public:
    // How far its connection is.
    enum class State {
        idle = CW_IDLE,
        connecting = CW_CONNECTING,
        connected = CW_CONNECTED,
        refused = CW_REFUSED,
        closed = CW_CLOSED
    };

    // None; only to be assigned to.
    QueuePair() = default;
    explicit QueuePair(cw_queue_pair* raw) noexcept : handle_(raw) {}

    // Connects an idle queue pair; with timeout 0 only begins to.
    [[nodiscard]] Result<void> connect(const std::string& target,
                                       std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        return detail::check(cw_queue_pair_connect(handle_.get(), target.c_str(),
                                                   static_cast<std::uint64_t>(timeout.count())));
    }

    // Sends a message into the peer's next posted receive.
    [[nodiscard]] Result<void> post_send(Slice slice, std::uint64_t id, PostOptions options = {}) {
        return post_send(std::span<const Slice>(&slice, 1), id, options);
    }
    // Sends these, one behind the other, as one message.
    [[nodiscard]] Result<void> post_send(std::span<const Slice> gather, std::uint64_t id,
                                         PostOptions options = {}) {
        return detail::check(cw_post_send(handle_.get(), gather.data(), count(gather), id,
                                          flags(options), number(options)));
    }
    // Gives memory for the next message that comes; it may be shorter.
    [[nodiscard]] Result<void> post_receive(Slice slice, std::uint64_t id) {
        return post_receive(std::span<const Slice>(&slice, 1), id);
    }
    // Gives these, to be filled one after the other.
    [[nodiscard]] Result<void> post_receive(std::span<const Slice> scatter, std::uint64_t id) {
        return detail::check(cw_post_receive(handle_.get(), scatter.data(), count(scatter), id));
    }
    // Writes into a region of the peer that has Access::remote_write. With an immediate it also
    // consumes a posted receive, whose completion tells the peer.
    [[nodiscard]] Result<void> post_write(Slice slice, Remote remote, std::uint64_t id,
                                          PostOptions options = {}) {
        return post_write(std::span<const Slice>(&slice, 1), remote, id, options);
    }
    // Writes these, one behind the other.
    [[nodiscard]] Result<void> post_write(std::span<const Slice> gather, Remote remote,
                                          std::uint64_t id, PostOptions options = {}) {
        return detail::check(cw_post_write(handle_.get(), gather.data(), count(gather), &remote, id,
                                           flags(options), number(options)));
    }
    // Reads from a region of the peer that has Access::remote_read.
    [[nodiscard]] Result<void> post_read(Slice slice, Remote remote, std::uint64_t id,
                                         PostOptions options = {}) {
        return post_read(std::span<const Slice>(&slice, 1), remote, id, options);
    }
    // Reads into these, one after the other.
    [[nodiscard]] Result<void> post_read(std::span<const Slice> scatter, Remote remote,
                                         std::uint64_t id, PostOptions options = {}) {
        return detail::check(cw_post_read(handle_.get(), scatter.data(), count(scatter), &remote,
                                          id, flags(options)));
    }
    // Appends to a region of the peer that has Access::append; `log` names any place in it, and
    // Completion::offset() says where the data went.
    [[nodiscard]] Result<void> post_append(Slice slice, Remote log, std::uint64_t id,
                                           PostOptions options = {}) {
        return post_append(std::span<const Slice>(&slice, 1), log, id, options);
    }
    // Appends these, one behind the other.
    [[nodiscard]] Result<void> post_append(std::span<const Slice> gather, Remote log,
                                           std::uint64_t id, PostOptions options = {}) {
        return detail::check(
            cw_post_append(handle_.get(), gather.data(), count(gather), &log, id, flags(options)));
    }

    // Why descriptors of this kind end with status denied, or which rule allows them, as the
    // adapter's policy has it now: for a log or an error text. Errors: wrong_state (not connected).
    [[nodiscard]] Result<std::string> explain(Opcode opcode) {
        char text[1024];
        if (const int code = cw_queue_pair_explain(
                handle_.get(), static_cast<std::uint32_t>(opcode), text, sizeof text);
            code != CW_OK)
            return detail::last_error(code);
        return std::string(text);
    }

    // How far it is; changes when completions are taken or events are processed.
    [[nodiscard]] State state() const noexcept {
        return static_cast<State>(cw_queue_pair_state_of(handle_.get()));
    }
    // The partition at the other end; empty before it is connected.
    [[nodiscard]] std::string_view peer() const noexcept {
        return cw_queue_pair_peer(handle_.get());
    }
    // Who moves the data: "adapter" or "direct"; empty before it is connected.
    [[nodiscard]] std::string_view executor() const noexcept {
        return cw_queue_pair_executor(handle_.get());
    }
    // Ends it at once. Completions that were not taken are lost.
    void close() noexcept { handle_.reset(); }
    [[nodiscard]] cw_queue_pair* raw() const noexcept { return handle_.get(); }

private:
    [[nodiscard]] static std::uint32_t count(std::span<const Slice> list) noexcept {
        return static_cast<std::uint32_t>(list.size());
    }
    [[nodiscard]] static std::uint32_t flags(const PostOptions& options) noexcept {
        return (options.signaled ? 0U : CW_UNSIGNALED) | (options.fence ? CW_FENCE : 0U) |
               (options.immediate ? CW_IMMEDIATE : 0U);
    }
    [[nodiscard]] static std::uint32_t number(const PostOptions& options) noexcept {
        return options.immediate ? options.immediate->value : 0;
    }
    detail::Handle<cw_queue_pair, cw_queue_pair_close> handle_;
};
static_assert(sizeof(Slice) == sizeof(cw_slice));

}  // namespace causeway
