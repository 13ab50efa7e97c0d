#include "control/message.hpp"

#include <algorithm>
#include <string>

namespace causeway::control {

namespace {

tl::unexpected<Error> protocol(std::string text) {
    return fail(ErrorCode::protocol, std::move(text));
}

bool known_error(std::int32_t number) noexcept { return number > 0 && number < abi::kErrorCount; }

// Where to cut `text` so that at most `most` bytes stay and no UTF-8 character is split.
std::size_t cut_at(std::string_view text, std::size_t most) noexcept {
    if (text.size() <= most)
        return text.size();
    std::size_t end = most;
    // The byte at the cut continues a character: go back to where that one begins.
    for (int i = 0; i < 3 && end > 0; ++i) {
        if ((static_cast<unsigned char>(text[end]) & 0xc0u) != 0x80u)
            break;
        --end;
    }
    return end;
}

}  // namespace

const char* request_name(std::uint16_t type) noexcept {
    static constexpr const char* kNames[] = {
        "unknown",
        "attach",
        "open_doorbell",
        "wakeup_socket",
        "close_doorbell",
        "register_region",
        "deregister_region",
        "region_status",
        "create_queue_pair",
        "listen",
        "close_listener",
        "connect",
        "accept",
        "disconnect",
        "stats",
        "open_direct",
        "resolve",
        "resume_doorbell",
        "resume_region",
        "resume_queue_pair",
        "resume_done",
        "narrow_region",
        "reload",
        "open_segment",
        "copy_segment",
        "close_segment",
        "resume_segment",
        "segment_status",
        "explain",
        "bus",
    };
    const auto number = static_cast<std::uint16_t>(type & ~abi::kReplyBit);
    return number < sizeof kNames / sizeof kNames[0] ? kNames[number] : kNames[0];
}

Result<abi::Header> parse_header(std::span<const std::byte> bytes) {
    abi::Header header{};
    if (bytes.size() < sizeof header) {
        return protocol(format_text("a message of %zu bytes has no header of %zu", bytes.size(),
                                    sizeof header));
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.size != bytes.size()) {
        return protocol(format_text("%s: the header says %u bytes, but %zu came",
                                    request_name(header.type), header.size, bytes.size()));
    }
    if (header.flags != 0) {
        return protocol(format_text("%s: unknown flags 0x%04x", request_name(header.type),
                                    static_cast<unsigned>(header.flags)));
    }
    return header;
}

Result<void> detail::parse_into(std::span<const std::byte> bytes, std::span<std::byte> known) {
    CW_TRY_ASSIGN(const abi::Header header, parse_header(bytes));
    const std::size_t common = std::min(bytes.size(), known.size());
    const auto tail = bytes.subspan(common);
    const auto unknown =
        std::find_if(tail.begin(), tail.end(), [](std::byte b) { return b != std::byte{0}; });
    if (unknown != tail.end()) {
        return protocol(format_text(
            "%s: byte %zu is not zero, but only %zu are known here: the other side speaks a newer "
            "protocol",
            request_name(header.type), common + static_cast<std::size_t>(unknown - tail.begin()),
            known.size()));
    }
    std::memcpy(known.data(), bytes.data(), common);
    return {};
}

Result<abi::Header> parse_empty(std::span<const std::byte> bytes) {
    abi::Header header{};
    CW_TRY(detail::parse_into(bytes, std::as_writable_bytes(std::span(&header, 1))));
    return header;
}

abi::Header reply_header(const abi::Header& request, std::size_t size) noexcept {
    abi::Header header{};
    header.size = static_cast<std::uint32_t>(size);
    header.type = static_cast<std::uint16_t>(request.type | abi::kReplyBit);
    header.sequence = request.sequence;
    return header;
}

abi::ErrorReply make_error_reply(const abi::Header& request, const Error& error) noexcept {
    static constexpr std::string_view kMore = "...";
    abi::ErrorReply reply{};
    reply.header = reply_header(request, sizeof reply);
    // A failed reply without a code would be taken for success.
    reply.header.error =
        static_cast<std::int32_t>(error.code == ErrorCode::none ? ErrorCode::system : error.code);
    constexpr std::size_t kRoom = sizeof reply.text - 1;
    const std::string_view text = error.text;
    const bool fits = text.size() <= kRoom;
    const std::size_t length = fits ? text.size() : cut_at(text, kRoom - kMore.size());
    std::copy_n(text.data(), length, reply.text);
    if (!fits)
        std::copy(kMore.begin(), kMore.end(), reply.text + length);
    // A NUL inside would end the text for the reader, and what follows it would not be padding.
    std::replace(reply.text, reply.text + length, '\0', '?');
    return reply;
}

Error parse_error(std::span<const std::byte> bytes) {
    const auto reply = parse<abi::ErrorReply>(bytes);
    if (!reply.has_value())
        return reply.error();
    const std::int32_t number = reply->header.error;
    if (number == 0)
        return {ErrorCode::protocol, "a reply without an error was read as one"};
    const auto* const end = std::find(std::begin(reply->text), std::end(reply->text), '\0');
    std::string text(reply->text, end);
    // It goes to terminals and logs: no control bytes from elsewhere.
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    if (text.empty())
        text = "the adapter gave no reason";
    if (!known_error(number)) {
        text += format_text(" (error number %d, unknown here)", number);
        return {ErrorCode::system, std::move(text)};
    }
    return {static_cast<ErrorCode>(number), std::move(text)};
}

Result<void> check_reply(const abi::Header& request, std::span<const std::byte> bytes) {
    CW_TRY_ASSIGN(const abi::Header header, parse_header(bytes));
    if (header.type != (request.type | abi::kReplyBit)) {
        return protocol(format_text("%s was answered by a message of type 0x%04x",
                                    request_name(request.type),
                                    static_cast<unsigned>(header.type)));
    }
    if (header.sequence != request.sequence) {
        return protocol(format_text("%s number %u was answered by a reply to number %u",
                                    request_name(request.type), request.sequence, header.sequence));
    }
    if (header.error != 0)
        return tl::unexpected<Error>(parse_error(bytes));
    return {};
}

namespace {

// A reply with rows behind it: `View` has `reply`, which counts them, and `rows`.
template<typename View>
Result<View> parse_page(const char* name, std::span<const std::byte> bytes) {
    CW_TRY_ASSIGN(const abi::Header header, parse_header(bytes));
    View view{};
    if (bytes.size() < sizeof view.reply) {
        return protocol(format_text("%s: a reply of %u bytes; at least %zu are needed", name,
                                    header.size, sizeof view.reply));
    }
    std::memcpy(&view.reply, bytes.data(), sizeof view.reply);
    view.rows = bytes.subspan(sizeof view.reply);
    // Both factors have 32 bits: the product cannot overflow.
    const std::uint64_t wanted = std::uint64_t{view.reply.rows} * view.reply.row_size;
    if (wanted != view.rows.size() || (view.reply.rows != 0 && view.reply.row_size == 0)) {
        return protocol(format_text("%s: %u rows of %u bytes announced, %zu bytes came", name,
                                    view.reply.rows, view.reply.row_size, view.rows.size()));
    }
    return view;
}

}  // namespace

Result<RowsView> parse_stats(std::span<const std::byte> bytes) {
    return parse_page<RowsView>("stats", bytes);
}

Result<BusView> parse_bus(std::span<const std::byte> bytes) {
    return parse_page<BusView>("bus", bytes);
}

}  // namespace causeway::control
