// Message queues, pipes, and requests with answers, the C++20 API: a header-only layer on ipc.h,
// which says what each call does, when it fails, and what one descriptor per object is good for.
//
//   auto receiver = causeway::ipc::MessageReceiver::open(partition, "orders").value();
//   auto sender = causeway::ipc::MessageSender::open(other, "billing/orders").value();
//   sender.send(std::as_bytes(std::span(text)), 100ms).value();
//   auto message = receiver.receive(1s).value();   // a view; its destructor releases it
//
// Threading: each object, and the views that it hands out: one thread at a time.
// Ownership: a view must not outlive the object that it came from.
#pragma once

#include <causeway/ipc.h>
#include <causeway/causeway.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace causeway::ipc {

// Bytes that belong to somebody else.
using Bytes = std::span<const std::byte>;

// As a time-out: do not wait.
inline constexpr std::chrono::nanoseconds kNow{0};
// As a time-out: wait for as long as it takes.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

// As cw_ipc_options; 0 is the default.
struct Options {
    std::uint32_t max_message = 0;  // bytes
    std::uint32_t max_answer = 0;   // bytes
    std::uint32_t depth = 0;        // messages, per connection
    // How this object waits.
    Wait wait = Wait::adaptive;
    const char* executor = nullptr;  // nullptr: policy decides; "adapter", "direct"
};

namespace detail {

[[nodiscard]] inline cw_ipc_options raw(const Options& options) noexcept {
    return {sizeof(cw_ipc_options),
            options.max_message,
            options.max_answer,
            options.depth,
            static_cast<cw_wait>(options.wait),
            options.executor};
}
[[nodiscard]] inline std::uint64_t raw(std::chrono::nanoseconds timeout) noexcept {
    return timeout == kForever ? UINT64_MAX : static_cast<std::uint64_t>(timeout.count());
}
[[nodiscard]] inline Bytes bytes(const void* data, std::size_t length) noexcept {
    return {static_cast<const std::byte*>(data), length};
}
// A descriptor, or why there is none.
[[nodiscard]] inline Result<int> file(int fd) {
    if (fd < 0)
        return causeway::detail::last_error(-fd);
    return fd;
}
// Runs create(&raw) and owns what it makes.
template<typename T, typename Raw, typename F>
[[nodiscard]] Result<T> make(F&& create) {
    Raw* made = nullptr;
    if (const int code = create(&made); code != CW_OK)
        return causeway::detail::last_error(code);
    return T(made);
}

}  // namespace detail

// A received message: a view into the receiver's buffer, released with this object.
class Message {
public:
    Message() = default;
    Message(cw_mq_receiver* receiver, const cw_message& raw) noexcept
        : receiver_(receiver), raw_(raw) {}
    Message(Message&& other) noexcept { swap(other); }
    Message& operator=(Message&& other) noexcept {
        swap(other);
        return *this;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;
    ~Message() { release(); }

    // The bytes, where they lie.
    [[nodiscard]] Bytes bytes() const noexcept { return detail::bytes(raw_.data, raw_.length); }
    // The same as text.
    [[nodiscard]] std::string_view text() const noexcept {
        return {static_cast<const char*>(raw_.data), raw_.length};
    }
    // The partition that sent it.
    [[nodiscard]] std::string_view sender() const noexcept { return raw_.sender; }
    // Gives the buffer back; the views end.
    void release() noexcept {
        if (auto* const receiver = std::exchange(receiver_, nullptr); receiver != nullptr)
            (void)cw_mq_release(receiver, &raw_);
    }

private:
    void swap(Message& other) noexcept {
        std::swap(receiver_, other.receiver_);
        std::swap(raw_, other.raw_);
    }
    cw_mq_receiver* receiver_ = nullptr;
    cw_message raw_{};
};

// The receiving end of a message queue. As cw_mq_receiver of the C API.
class MessageReceiver {
public:
    // Serves the queue `service` of this partition.
    [[nodiscard]] static Result<MessageReceiver> open(Partition& partition,
                                                      const std::string& service,
                                                      const Options& options = {}) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<MessageReceiver, cw_mq_receiver>([&](cw_mq_receiver** out) {
            return cw_mq_receiver_open(partition.raw(), service.c_str(), &raw, out);
        });
    }
    explicit MessageReceiver(cw_mq_receiver* raw) noexcept : handle_(raw) {}

    // The next message of whichever sender. Errors: again, timed_out, adapter_gone.
    [[nodiscard]] Result<Message> receive(std::chrono::nanoseconds timeout = kForever) {
        cw_message raw;
        if (const int code = cw_mq_receive(handle_.get(), &raw, detail::raw(timeout));
            code != CW_OK) {
            return causeway::detail::last_error(code);
        }
        return Message(handle_.get(), raw);
    }
    // Readable while receiving is worth trying, for an event loop; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_mq_receiver_fd(handle_.get())); }
    // How many are connected now.
    [[nodiscard]] std::uint32_t senders() const noexcept {
        return cw_mq_receiver_senders(handle_.get());
    }
    [[nodiscard]] cw_mq_receiver* raw() const noexcept { return handle_.get(); }

private:
    causeway::detail::Handle<cw_mq_receiver, cw_mq_receiver_close> handle_;
};

// The sending end of a message queue. As cw_mq_sender of the C API.
class MessageSender {
public:
    // Connects to the queue "partition/service". Errors: not_found, denied, timed_out, protocol,
    // limit_reached, no_memory.
    [[nodiscard]] static Result<MessageSender> open(
        Partition& partition, const std::string& target, const Options& options = {},
        std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<MessageSender, cw_mq_sender>([&](cw_mq_sender** out) {
            return cw_mq_sender_open(partition.raw(), target.c_str(), &raw, detail::raw(timeout),
                                     out);
        });
    }
    explicit MessageSender(cw_mq_sender* raw) noexcept : handle_(raw) {}

    // One more receiver, in turn with the others.
    [[nodiscard]] Result<void> add(const std::string& target,
                                   std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        return causeway::detail::check(
            cw_mq_sender_add(handle_.get(), target.c_str(), detail::raw(timeout)));
    }
    // kNow fails with `again` where there is no room, kForever blocks.
    [[nodiscard]] Result<void> send(Bytes message, std::chrono::nanoseconds timeout = kForever) {
        return causeway::detail::check(
            cw_mq_send(handle_.get(), message.data(), message.size(), detail::raw(timeout)));
    }
    // The same with text.
    [[nodiscard]] Result<void> send(std::string_view message,
                                    std::chrono::nanoseconds timeout = kForever) {
        return send(std::as_bytes(std::span(message)), timeout);
    }
    // Readable while sending is worth trying again; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_mq_sender_fd(handle_.get())); }
    // How many are connected now.
    [[nodiscard]] std::uint32_t receivers() const noexcept {
        return cw_mq_sender_receivers(handle_.get());
    }
    // The largest message, in bytes, that all receivers take; 0 before any is connected.
    [[nodiscard]] std::size_t max_message() const noexcept {
        return cw_mq_sender_max_message(handle_.get());
    }
    [[nodiscard]] cw_mq_sender* raw() const noexcept { return handle_.get(); }

private:
    causeway::detail::Handle<cw_mq_sender, cw_mq_sender_close> handle_;
};

// A stream of bytes each way, each of which ends by itself. As cw_pipe of the C API.
class Pipe {
public:
    // Connects to "partition/service". Errors: as MessageSender::open.
    [[nodiscard]] static Result<Pipe> connect(
        Partition& partition, const std::string& target, const Options& options = {},
        std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<Pipe, cw_pipe>([&](cw_pipe** out) {
            return cw_pipe_connect(partition.raw(), target.c_str(), &raw, detail::raw(timeout),
                                   out);
        });
    }
    explicit Pipe(cw_pipe* raw) noexcept : handle_(raw) {}

    // Bytes written: fewer than all where the time was over after some.
    [[nodiscard]] Result<std::size_t> write(Bytes data,
                                            std::chrono::nanoseconds timeout = kForever) {
        return counted([&](std::size_t* count) {
            return cw_pipe_write(handle_.get(), data.data(), data.size(), detail::raw(timeout),
                                 count);
        });
    }
    // Bytes read; 0: the end of the stream.
    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> data,
                                           std::chrono::nanoseconds timeout = kForever) {
        return counted([&](std::size_t* count) {
            return cw_pipe_read(handle_.get(), data.data(), data.size(), detail::raw(timeout),
                                count);
        });
    }
    // What comes next, without a copy, until it is consumed; empty: the end of the stream.
    [[nodiscard]] Result<Bytes> peek(std::chrono::nanoseconds timeout = kForever) {
        const void* data = nullptr;
        std::size_t length = 0;
        if (const int code = cw_pipe_peek(handle_.get(), &data, &length, detail::raw(timeout));
            code != CW_OK) {
            return causeway::detail::last_error(code);
        }
        return detail::bytes(data, length);
    }
    // Done with the first `length` bytes of what peek() showed.
    [[nodiscard]] Result<void> consume(std::size_t length) {
        return causeway::detail::check(cw_pipe_consume(handle_.get(), length));
    }
    // Half-close.
    [[nodiscard]] Result<void> shutdown() {
        return causeway::detail::check(cw_pipe_shutdown(handle_.get()));
    }
    // Readable while reading or writing is worth trying; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_pipe_fd(handle_.get())); }
    // The partition at the other end.
    [[nodiscard]] std::string_view peer() const noexcept { return cw_pipe_peer(handle_.get()); }
    [[nodiscard]] cw_pipe* raw() const noexcept { return handle_.get(); }

private:
    template<typename F>
    [[nodiscard]] static Result<std::size_t> counted(F&& f) {
        std::size_t count = 0;
        if (const int code = f(&count); code != CW_OK)
            return causeway::detail::last_error(code);
        return count;
    }
    causeway::detail::Handle<cw_pipe, cw_pipe_close> handle_;
};

// Where pipes are accepted. As cw_pipe_listener of the C API.
class PipeListener {
public:
    // Serves pipes at `service` of this partition.
    [[nodiscard]] static Result<PipeListener> open(Partition& partition, const std::string& service,
                                                   const Options& options = {}) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<PipeListener, cw_pipe_listener>([&](cw_pipe_listener** out) {
            return cw_pipe_listen(partition.raw(), service.c_str(), &raw, out);
        });
    }
    explicit PipeListener(cw_pipe_listener* raw) noexcept : handle_(raw) {}

    // The next pipe. Errors: again, timed_out, adapter_gone.
    [[nodiscard]] Result<Pipe> accept(std::chrono::nanoseconds timeout = kForever) {
        return detail::make<Pipe, cw_pipe>([&](cw_pipe** out) {
            return cw_pipe_accept(handle_.get(), detail::raw(timeout), out);
        });
    }
    // Readable while accepting is worth trying; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_pipe_listener_fd(handle_.get())); }
    [[nodiscard]] cw_pipe_listener* raw() const noexcept { return handle_.get(); }

private:
    causeway::detail::Handle<cw_pipe_listener, cw_pipe_listener_close> handle_;
};

// A request as the server has it: a view, and the duty to answer. One that goes without an answer
// tells its client so.
class Request {
public:
    Request() = default;
    Request(cw_rpc_server* server, const cw_request& raw) noexcept : server_(server), raw_(raw) {}
    Request(Request&& other) noexcept { swap(other); }
    Request& operator=(Request&& other) noexcept {
        swap(other);
        return *this;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request() { drop(); }

    // The bytes, where they lie.
    [[nodiscard]] Bytes bytes() const noexcept { return detail::bytes(raw_.data, raw_.length); }
    // The same as text.
    [[nodiscard]] std::string_view text() const noexcept {
        return {static_cast<const char*>(raw_.data), raw_.length};
    }
    // The partition that asks.
    [[nodiscard]] std::string_view client() const noexcept { return raw_.client; }
    // Answers with a copy and lets go of the request, unless the answer is too long
    // (invalid_argument). Errors also: peer_gone.
    [[nodiscard]] Result<void> reply(Bytes answer) {
        const int code = cw_rpc_reply(server_, &raw_, answer.data(), answer.size());
        if (code != CW_ERROR_INVALID_ARGUMENT)
            server_ = nullptr;
        return causeway::detail::check(code);
    }
    // The same with text.
    [[nodiscard]] Result<void> reply(std::string_view answer) {
        return reply(std::as_bytes(std::span(answer)));
    }
    // Lets go of it without an answer, of which its client is told.
    void drop() noexcept {
        if (auto* const server = std::exchange(server_, nullptr); server != nullptr)
            (void)cw_rpc_drop(server, &raw_);
    }

private:
    void swap(Request& other) noexcept {
        std::swap(server_, other.server_);
        std::swap(raw_, other.raw_);
    }
    cw_rpc_server* server_ = nullptr;
    cw_request raw_{};
};

// Answers requests. As cw_rpc_server of the C API.
class RequestServer {
public:
    // Serves `service` of this partition.
    [[nodiscard]] static Result<RequestServer> open(Partition& partition,
                                                    const std::string& service,
                                                    const Options& options = {}) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<RequestServer, cw_rpc_server>([&](cw_rpc_server** out) {
            return cw_rpc_server_open(partition.raw(), service.c_str(), &raw, out);
        });
    }
    explicit RequestServer(cw_rpc_server* raw) noexcept : handle_(raw) {}

    // The next request of whichever client. Errors: again, timed_out, adapter_gone.
    [[nodiscard]] Result<Request> next(std::chrono::nanoseconds timeout = kForever) {
        cw_request raw;
        if (const int code = cw_rpc_next(handle_.get(), &raw, detail::raw(timeout));
            code != CW_OK) {
            return causeway::detail::last_error(code);
        }
        return Request(handle_.get(), raw);
    }
    // Readable while next() is worth trying; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_rpc_server_fd(handle_.get())); }
    // How many are connected now.
    [[nodiscard]] std::uint32_t clients() const noexcept {
        return cw_rpc_server_clients(handle_.get());
    }
    [[nodiscard]] cw_rpc_server* raw() const noexcept { return handle_.get(); }

private:
    causeway::detail::Handle<cw_rpc_server, cw_rpc_server_close> handle_;
};

// What came of a request: a view into the client's buffer, or an error.
class Answer {
public:
    Answer() = default;
    Answer(cw_rpc_client* client, const cw_answer& raw) noexcept : client_(client), raw_(raw) {}
    Answer(Answer&& other) noexcept { swap(other); }
    Answer& operator=(Answer&& other) noexcept {
        swap(other);
        return *this;
    }
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() { release(); }

    // Why there is no answer; none where there is one: timed_out, peer_gone, unsupported (the
    // server let go of the request), adapter_gone.
    [[nodiscard]] ErrorCode error() const noexcept { return static_cast<ErrorCode>(raw_.error); }
    // Is there an answer?
    [[nodiscard]] bool ok() const noexcept { return raw_.error == CW_OK; }
    [[nodiscard]] std::uint64_t user() const noexcept { return raw_.user; }  // of start()
    // The bytes, where they lie.
    [[nodiscard]] Bytes bytes() const noexcept { return detail::bytes(raw_.data, raw_.length); }
    // The same as text.
    [[nodiscard]] std::string_view text() const noexcept {
        return {static_cast<const char*>(raw_.data), raw_.length};
    }
    // Gives the buffer back; the views end.
    void release() noexcept {
        if (auto* const client = std::exchange(client_, nullptr); client != nullptr)
            (void)cw_rpc_release(client, &raw_);
    }

private:
    void swap(Answer& other) noexcept {
        std::swap(client_, other.client_);
        std::swap(raw_, other.raw_);
    }
    cw_rpc_client* client_ = nullptr;
    cw_answer raw_{};
};

// Asks a server. As cw_rpc_client of the C API.
class RequestClient {
public:
    // Connects to the server "partition/service". Errors: as MessageSender::open.
    [[nodiscard]] static Result<RequestClient> open(
        Partition& partition, const std::string& target, const Options& options = {},
        std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        const cw_ipc_options raw = detail::raw(options);
        return detail::make<RequestClient, cw_rpc_client>([&](cw_rpc_client** out) {
            return cw_rpc_client_open(partition.raw(), target.c_str(), &raw, detail::raw(timeout),
                                      out);
        });
    }
    explicit RequestClient(cw_rpc_client* raw) noexcept : handle_(raw) {}

    // Waits for the answer, which is never an error here: that is the Result's.
    [[nodiscard]] Result<Answer> call(Bytes request, std::chrono::nanoseconds timeout = kForever) {
        cw_answer raw;
        if (const int code = cw_rpc_call(handle_.get(), request.data(), request.size(),
                                         detail::raw(timeout), &raw);
            code != CW_OK) {
            return causeway::detail::last_error(code);
        }
        return Answer(handle_.get(), raw);
    }
    // The same with text.
    [[nodiscard]] Result<Answer> call(std::string_view request,
                                      std::chrono::nanoseconds timeout = kForever) {
        return call(std::as_bytes(std::span(request)), timeout);
    }
    // `user` comes back with the outcome.
    [[nodiscard]] Result<void> start(Bytes request, std::uint64_t user,
                                     std::chrono::nanoseconds deadline = kForever) {
        return causeway::detail::check(cw_rpc_start(handle_.get(), request.data(), request.size(),
                                                    detail::raw(deadline), user));
    }
    // The same with text.
    [[nodiscard]] Result<void> start(std::string_view request, std::uint64_t user,
                                     std::chrono::nanoseconds deadline = kForever) {
        return start(std::as_bytes(std::span(request)), user, deadline);
    }
    // The next outcome: look at Answer::error().
    [[nodiscard]] Result<Answer> finish(std::chrono::nanoseconds timeout = kForever) {
        cw_answer raw;
        if (const int code = cw_rpc_finish(handle_.get(), &raw, detail::raw(timeout));
            code != CW_OK) {
            return causeway::detail::last_error(code);
        }
        return Answer(handle_.get(), raw);
    }
    // Readable while finish() is worth trying; owned by this.
    [[nodiscard]] Result<int> fd() { return detail::file(cw_rpc_client_fd(handle_.get())); }
    [[nodiscard]] cw_rpc_client* raw() const noexcept { return handle_.get(); }

private:
    causeway::detail::Handle<cw_rpc_client, cw_rpc_client_close> handle_;
};

}  // namespace causeway::ipc
