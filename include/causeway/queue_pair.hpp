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
    std::uint32_t value;

    operator PostOptions() const noexcept;  // NOLINT: post_send(s, id, Immediate{7})
};

// An aggregate: post_send(s, id, {.immediate = Immediate{7}, .signaled = false}).
struct PostOptions {
    std::optional<Immediate> immediate{};
    bool signaled = true;  // false: no completion on success
    bool fence = false;    // flushed if a descriptor since the previous fence has failed
};

inline Immediate::operator PostOptions() const noexcept { return {.immediate = *this}; }

// What a send does while the peer has posted no receive.
struct Patience {
    cw_patience kind = CW_BLOCK;
    std::chrono::nanoseconds limit{0};

    [[nodiscard]] static Patience block() noexcept { return {}; }
    [[nodiscard]] static Patience fail() noexcept { return {CW_FAIL, {}}; }
    [[nodiscard]] static Patience bounded(std::chrono::nanoseconds limit) noexcept {
        return {CW_BOUNDED, limit};
    }
};

struct QueuePairOptions {
    CompletionQueue& completions;
    std::uint32_t send_entries = 64;  // powers of two, 4 to 65536
    std::uint32_t receive_entries = 64;
    Patience patience{};
    void* user = nullptr;            // returned by Completion::user()
    const char* executor = nullptr;  // nullptr: policy decides; "adapter", "direct"
};

class QueuePair {
public:
    enum class State {
        idle = CW_IDLE,
        connecting = CW_CONNECTING,
        connected = CW_CONNECTED,
        refused = CW_REFUSED,
        closed = CW_CLOSED
    };

    QueuePair() = default;
    explicit QueuePair(cw_queue_pair* raw) noexcept : handle_(raw) {}

    // Connects an idle queue pair; with timeout 0 only begins to.
    [[nodiscard]] Result<void> connect(const std::string& target,
                                       std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        return detail::check(cw_queue_pair_connect(handle_.get(), target.c_str(),
                                                   static_cast<std::uint64_t>(timeout.count())));
    }

    [[nodiscard]] Result<void> post_send(Slice slice, std::uint64_t id, PostOptions options = {}) {
        return post_send(std::span<const Slice>(&slice, 1), id, options);
    }
    [[nodiscard]] Result<void> post_send(std::span<const Slice> gather, std::uint64_t id,
                                         PostOptions options = {}) {
        return detail::check(cw_post_send(handle_.get(), gather.data(), count(gather), id,
                                          flags(options), number(options)));
    }
    [[nodiscard]] Result<void> post_receive(Slice slice, std::uint64_t id) {
        return post_receive(std::span<const Slice>(&slice, 1), id);
    }
    [[nodiscard]] Result<void> post_receive(std::span<const Slice> scatter, std::uint64_t id) {
        return detail::check(cw_post_receive(handle_.get(), scatter.data(), count(scatter), id));
    }
    [[nodiscard]] Result<void> post_write(Slice slice, Remote remote, std::uint64_t id,
                                          PostOptions options = {}) {
        return post_write(std::span<const Slice>(&slice, 1), remote, id, options);
    }
    [[nodiscard]] Result<void> post_write(std::span<const Slice> gather, Remote remote,
                                          std::uint64_t id, PostOptions options = {}) {
        return detail::check(cw_post_write(handle_.get(), gather.data(), count(gather), &remote, id,
                                           flags(options), number(options)));
    }
    [[nodiscard]] Result<void> post_read(Slice slice, Remote remote, std::uint64_t id,
                                         PostOptions options = {}) {
        return post_read(std::span<const Slice>(&slice, 1), remote, id, options);
    }
    [[nodiscard]] Result<void> post_read(std::span<const Slice> scatter, Remote remote,
                                         std::uint64_t id, PostOptions options = {}) {
        return detail::check(cw_post_read(handle_.get(), scatter.data(), count(scatter), &remote,
                                          id, flags(options)));
    }
    [[nodiscard]] Result<void> post_append(Slice slice, Remote log, std::uint64_t id,
                                           PostOptions options = {}) {
        return post_append(std::span<const Slice>(&slice, 1), log, id, options);
    }
    [[nodiscard]] Result<void> post_append(std::span<const Slice> gather, Remote log,
                                           std::uint64_t id, PostOptions options = {}) {
        return detail::check(
            cw_post_append(handle_.get(), gather.data(), count(gather), &log, id, flags(options)));
    }

    [[nodiscard]] State state() const noexcept {
        return static_cast<State>(cw_queue_pair_state_of(handle_.get()));
    }
    [[nodiscard]] std::string_view peer() const noexcept {
        return cw_queue_pair_peer(handle_.get());
    }
    [[nodiscard]] std::string_view executor() const noexcept {
        return cw_queue_pair_executor(handle_.get());
    }
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
