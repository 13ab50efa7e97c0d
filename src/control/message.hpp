// Building and parsing the messages of abi/control.hpp.
//
// Threading: pure functions. Ownership: views point into the bytes given.
//
// Invariants:
//  1. What parse() returns is a private copy; bytes that the sender left out are zero.
//  2. A message is refused unless: it has a whole header, header.size is the number of bytes that
//     came, header.flags is zero, and everything beyond the structure known here is zero.
//  3. Nothing here asserts on, or throws because of, what a peer sent.
#pragma once

#include <algorithm>
#include <causeway/abi/bus.hpp>
#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.hpp"

namespace causeway::control {

template<typename T>
concept Message =
    std::is_trivially_copyable_v<T> && std::is_same_v<decltype(T::header), abi::Header>;

// "attach" for abi::Request::attach, with or without kReplyBit; "unknown" for a number that is
// none.
[[nodiscard]] const char* request_name(std::uint16_t type) noexcept;

// The header of a message, checked as in invariant 2 except for the tail.
[[nodiscard]] Result<abi::Header> parse_header(std::span<const std::byte> bytes);

namespace detail {
// Copies the message into `known` (zeroed by the caller); the tail beyond must be zero.
[[nodiscard]] Result<void> parse_into(std::span<const std::byte> bytes, std::span<std::byte> known);
}  // namespace detail

// A whole message as T. Errors: protocol.
template<Message T>
[[nodiscard]] Result<T> parse(std::span<const std::byte> bytes) {
    T message{};
    CW_TRY(detail::parse_into(bytes, std::as_writable_bytes(std::span(&message, 1))));
    return message;
}

// A bare Header is a message too (replies without content): its tail must be zero.
[[nodiscard]] Result<abi::Header> parse_empty(std::span<const std::byte> bytes);

// A zeroed message with its header filled in.
template<Message T>
[[nodiscard]] T make(abi::Request type, std::uint32_t sequence = 0) noexcept {
    T message{};
    message.header.size = sizeof(T);
    message.header.type = static_cast<std::uint16_t>(type);
    message.header.sequence = sequence;
    return message;
}

// The header of the reply to `request`, `size` bytes long.
[[nodiscard]] abi::Header reply_header(const abi::Header& request, std::size_t size) noexcept;

// A zeroed reply to `request`.
template<Message T>
[[nodiscard]] T make_reply(const abi::Header& request) noexcept {
    T message{};
    message.header = reply_header(request, sizeof(T));
    return message;
}

// The failed reply: the text is cut at a whole character where it is too long, and then ends "...".
[[nodiscard]] abi::ErrorReply make_error_reply(const abi::Header& request,
                                               const Error& error) noexcept;

// The error that an ErrorReply carries; protocol if it is none. A number that is not known here
// becomes `system`, with the number in the text.
[[nodiscard]] Error parse_error(std::span<const std::byte> bytes);

// Checks that `bytes` answer `request`: type, sequence, and no error (else that error is returned).
[[nodiscard]] Result<void> check_reply(const abi::Header& request,
                                       std::span<const std::byte> bytes);

template<typename T>
[[nodiscard]] std::span<const std::byte> bytes_of(const T& message) noexcept {
    return std::as_bytes(std::span(&message, 1));
}

// --- StatsReply: a Header, and rows behind it, which may be longer or shorter than they are here.
template<typename Row>
struct StatsPage {
    std::uint32_t next = 0;  // cursor of the next page; 0: no more
    std::vector<Row> rows;
};

struct RowsView {
    abi::StatsReply reply;
    std::span<const std::byte> rows;  // reply.rows * reply.row_size bytes
};
[[nodiscard]] Result<RowsView> parse_stats(std::span<const std::byte> bytes);

// `count` rows of `size` bytes each, as many as there are bytes.
template<typename Row>
[[nodiscard]] std::vector<Row> rows_of(std::span<const std::byte> bytes, std::size_t count,
                                       std::size_t size) {
    static_assert(std::is_trivially_copyable_v<Row>);
    std::vector<Row> rows(count);
    const std::size_t common = std::min(sizeof(Row), size);
    for (std::size_t i = 0; i < count; ++i)
        std::memcpy(&rows[i], bytes.data() + i * size, common);
    return rows;
}

template<typename Row>
[[nodiscard]] Result<StatsPage<Row>> parse_rows(std::span<const std::byte> bytes) {
    CW_TRY_ASSIGN(const RowsView view, parse_stats(bytes));
    return StatsPage<Row>{view.reply.next,
                          rows_of<Row>(view.rows, view.reply.rows, view.reply.row_size)};
}

// --- BusReply: likewise.
template<typename Row>
struct BusPage {
    std::uint64_t next = 0;
    std::uint64_t generation = 0;
    std::vector<Row> rows;
};

struct BusView {
    abi::BusReply reply;
    std::span<const std::byte> rows;
};
[[nodiscard]] Result<BusView> parse_bus(std::span<const std::byte> bytes);

template<typename Row>
[[nodiscard]] Result<BusPage<Row>> parse_bus_rows(std::span<const std::byte> bytes) {
    CW_TRY_ASSIGN(const BusView view, parse_bus(bytes));
    return BusPage<Row>{view.reply.next, view.reply.generation,
                        rows_of<Row>(view.rows, view.reply.rows, view.reply.row_size)};
}

}  // namespace causeway::control
