// Channel: the client's end of the control connection. One request, then its reply.
//
//     auto channel = Channel::connect(path);
//     auto request = make<abi::AttachRequest>(abi::Request::attach);
//     auto reply = channel->call<abi::AttachReply>(request);
//
// Threading: one thread at a time; the caller locks.
// Ownership: owns the connection.
//
// Invariants:
//  1. After a reply that breaks the protocol, a time-out or the adapter's end the channel is closed
//     and every call fails with adapter_gone: replies never get out of step.
//  2. A failed request leaves the channel as it was.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/message.hpp"
#include "platform/fd.hpp"
#include "platform/socket.hpp"

namespace causeway::control {

// Where the adapter's socket is: `explicit_path` if not empty; $CAUSEWAY_SOCKET if set; else the
// first that exists of /run/causeway/fabric.sock and $XDG_RUNTIME_DIR/causeway/fabric.sock.
// no_adapter: none; the text lists where it was looked for and says what to do.
[[nodiscard]] Result<std::string> fabric_socket_path(std::string_view explicit_path);

class Channel {
public:
    // How long a reply may take. Populating 64 MiB under memory pressure is what takes longest.
    static constexpr std::uint64_t kPatienceNs = 60'000'000'000;

    Channel() noexcept = default;
    explicit Channel(platform::UniqueFd connection);

    // Errors: no_adapter, denied, invalid_argument (path), again (busy).
    // With Blocking::no it does not wait for a busy listener.
    [[nodiscard]] static Result<Channel> connect(
        const std::string& path, platform::Blocking blocking = platform::Blocking::yes);

    // Sends `request` (its header's type and size are set, the sequence is filled in here), with it
    // a copy of `descriptor` unless that is -1, and waits for the reply. A descriptor that comes
    // with the reply goes to *received; where `received` is null it is a breach of the protocol,
    // and where it is not null the absence of one is (but for open_segment, which may bring none).
    // Errors: the adapter's own; adapter_gone; protocol.
    template<Message Reply, Message Request>
    [[nodiscard]] Result<Reply> call(Request request, int descriptor = -1,
                                     platform::UniqueFd* received = nullptr) {
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes,
                      exchange(request.header, writable(request), descriptor, received));
        return finish(parse<Reply>(bytes));
    }
    // The same for requests whose reply is a bare Header.
    template<Message Request>
    [[nodiscard]] Result<void> call_empty(Request request, int descriptor = -1,
                                          platform::UniqueFd* received = nullptr) {
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes,
                      exchange(request.header, writable(request), descriptor, received));
        CW_TRY(finish(parse_empty(bytes)));
        return {};
    }

    // The two halves of a call, for who must not wait: ask() sends, and answer() or answer_empty()
    // takes the reply, once answered() says that there is one, or the end. In between fd() may be
    // waited on.
    template<Message Request>
    [[nodiscard]] Result<void> ask(Request request, int descriptor = -1) {
        return send(request.header, writable(request), descriptor);
    }
    [[nodiscard]] bool answered() const noexcept;
    template<Message Reply>
    [[nodiscard]] Result<Reply> answer(platform::UniqueFd* received = nullptr) {
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes, take_reply(received));
        return finish(parse<Reply>(bytes));
    }
    [[nodiscard]] Result<void> answer_empty(platform::UniqueFd* received = nullptr) {
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes, take_reply(received));
        CW_TRY(finish(parse_empty(bytes)));
        return {};
    }

    // One page of stats.
    template<typename Row>
    [[nodiscard]] Result<StatsPage<Row>> stats(abi::StatsKind kind, std::uint32_t cursor = 0) {
        auto request = make<abi::StatsRequest>(abi::Request::stats);
        request.kind = static_cast<std::uint32_t>(kind);
        request.cursor = cursor;
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes,
                      exchange(request.header, writable(request), -1, nullptr));
        return finish(parse_rows<Row>(bytes));
    }
    // All pages of one kind.
    template<typename Row>
    [[nodiscard]] Result<std::vector<Row>> all_stats(abi::StatsKind kind) {
        std::vector<Row> rows;
        std::uint32_t cursor = 0;
        do {
            CW_TRY_ASSIGN(StatsPage<Row> page, stats<Row>(kind, cursor));
            rows.insert(rows.end(), page.rows.begin(), page.rows.end());
            if (page.next != 0 && page.next <= cursor)
                return stuck(kind, cursor);
            cursor = page.next;
        } while (cursor != 0);
        return rows;
    }

    // One page of the bus.
    template<typename Row>
    [[nodiscard]] Result<BusPage<Row>> bus(abi::BusRequest request) {
        CW_TRY_ASSIGN(const std::span<const std::byte> bytes,
                      exchange(request.header, writable(request), -1, nullptr));
        return finish(parse_bus_rows<Row>(bytes));
    }

    [[nodiscard]] bool open() const noexcept { return connection_.valid(); }
    // Readable without a call under way means: the adapter has ended (or breaks the protocol).
    [[nodiscard]] int fd() const noexcept { return connection_.get(); }
    void close() noexcept { connection_.reset(); }
    // For tests: another patience than kPatienceNs.
    void set_patience(std::uint64_t ns) noexcept { patience_ns_ = ns; }

private:
    template<typename T>
    static std::span<std::byte> writable(T& message) noexcept {
        return std::as_writable_bytes(std::span(&message, 1));
    }
    // The reply's bytes, checked to answer this request without error; valid until the next call.
    [[nodiscard]] Result<std::span<const std::byte>> exchange(abi::Header& header,
                                                              std::span<std::byte> request,
                                                              int descriptor,
                                                              platform::UniqueFd* received);
    [[nodiscard]] Result<void> send(abi::Header& header, std::span<std::byte> request,
                                    int descriptor);
    [[nodiscard]] Result<std::span<const std::byte>> take_reply(platform::UniqueFd* received);
    // A reply that cannot be parsed closes the channel (invariant 1).
    template<typename T>
    [[nodiscard]] Result<T> finish(Result<T> result) {
        if (!result.has_value())
            connection_.reset();
        return result;
    }
    [[nodiscard]] tl::unexpected<Error> stuck(abi::StatsKind kind, std::uint32_t cursor);

    platform::UniqueFd connection_;
    std::uint64_t patience_ns_ = kPatienceNs;
    std::uint32_t sequence_ = 0;
    abi::Header asked_{};           // the request that is outstanding, or was last
    std::vector<std::byte> reply_;  // abi::kMaxMessage bytes once connected
};

}  // namespace causeway::control
