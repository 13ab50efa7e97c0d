// Fuzzes the parsing of control messages (src/control/message.hpp): every message type that either
// side reads, from arbitrary bytes. What was accepted must satisfy the header's invariants.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/names.hpp"
#include "control/message.hpp"

namespace {

using namespace causeway;
using namespace causeway::control;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

// Accepted means: the size is the message's own, the known part is copied to the byte, and nothing
// but zeros was dropped or made up.
template<Message T>
void try_message(std::span<const std::byte> bytes) {
    const Result<T> parsed = parse<T>(bytes);
    if (!parsed) {
        require(!parsed.error().text.empty(), "an error without a text");
        return;
    }
    require(parsed->header.size == bytes.size(), "a size that is not the message's");
    require(parsed->header.flags == 0, "flags were accepted");
    const std::size_t known = std::min(sizeof(T), bytes.size());
    const auto copy = bytes_of(*parsed);
    require(
        std::equal(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(known), bytes.begin()),
        "the copy differs");
    const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
    require(std::all_of(copy.begin() + static_cast<std::ptrdiff_t>(known), copy.end(), zero),
            "what was left out is not zero");
    require(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end(), zero),
            "an unknown tail was accepted");
}

void try_text(std::span<const char> array) {
    if (const auto text = load_text(array)) {
        require(text->size() < array.size(), "a text without its end");
        require(text->find('\0') == std::string_view::npos, "a text with a NUL inside");
    }
    if (const auto name = load_name("name", array)) {
        require(check_name("name", *name).has_value(), "a name that is none");
        require(name->size() <= kMaxName && name->find('/') == std::string::npos, "a bad name");
    }
    (void)printable({array.data(), array.size()});
}

template<typename Row>
void try_bus_rows(std::span<const std::byte> bytes) {
    const auto page = parse_bus_rows<Row>(bytes);
    if (!page)
        return;
    const auto view = parse_bus(bytes);
    require(view.has_value(), "rows without their view");
    require(view->rows.size() == std::size_t{view->reply.rows} * view->reply.row_size,
            "rows of another size");
    require(page->rows.size() <= bytes.size(), "rows beyond the message");
}

template<typename Row>
void try_rows(std::span<const std::byte> bytes) {
    const auto page = parse_rows<Row>(bytes);
    if (!page)
        return;
    require(page->rows.size() <= abi::kMaxMessage, "more rows than a message can hold");
    const auto view = parse_stats(bytes);
    require(view.has_value(), "rows without their view");
    require(view->rows.size() == std::size_t{view->reply.rows} * view->reply.row_size,
            "rows of another size");
    require(view->rows.size() <= bytes.size(), "rows beyond the message");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > abi::kMaxMessage)
        return 0;
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto header = parse_header(bytes);
    (void)parse_empty(bytes);
    try_message<abi::AttachRequest>(bytes);
    try_message<abi::AttachReply>(bytes);
    try_message<abi::OpenDoorbellRequest>(bytes);
    try_message<abi::OpenDoorbellReply>(bytes);
    try_message<abi::DoorbellRequest>(bytes);
    try_message<abi::RegisterRequest>(bytes);
    try_message<abi::RegisterReply>(bytes);
    try_message<abi::RegionRequest>(bytes);
    try_message<abi::RegionStatusReply>(bytes);
    try_message<abi::DeregisterReply>(bytes);
    try_message<abi::NarrowRegionRequest>(bytes);
    try_message<abi::ResumeDoorbellRequest>(bytes);
    try_message<abi::ResumeRegionRequest>(bytes);
    try_message<abi::ResumeQueuePairRequest>(bytes);
    try_message<abi::ResumeDoneRequest>(bytes);
    try_message<abi::CreateQueuePairRequest>(bytes);
    try_message<abi::CreateQueuePairReply>(bytes);
    try_message<abi::ListenRequest>(bytes);
    try_message<abi::ListenReply>(bytes);
    try_message<abi::CloseListenerRequest>(bytes);
    try_message<abi::ConnectRequest>(bytes);
    try_message<abi::ConnectReply>(bytes);
    try_message<abi::AcceptRequest>(bytes);
    try_message<abi::AcceptReply>(bytes);
    try_message<abi::DisconnectRequest>(bytes);
    try_message<abi::StatsRequest>(bytes);
    try_message<abi::ErrorReply>(bytes);
    try_message<abi::BusRequest>(bytes);
    try_bus_rows<abi::ControllerRow>(bytes);
    try_bus_rows<abi::BusUserRow>(bytes);
    try_rows<abi::AdapterRow>(bytes);
    try_rows<abi::PartitionRow>(bytes);
    try_rows<abi::QueuePairRow>(bytes);
    try_rows<abi::RegionRow>(bytes);
    require(!parse_error(bytes).text.empty(), "an error reply without a text");

    // A reply to a request of the same type and sequence, and to another one.
    abi::Header request{};
    if (header) {
        request = *header;
        request.type &= static_cast<std::uint16_t>(~abi::kReplyBit);
        require(request_name(header->type) != nullptr, "a type without a name");
    }
    (void)check_reply(request, bytes);
    const abi::Header reply = reply_header(request, sizeof(abi::Header));
    require(reply.type == (request.type | abi::kReplyBit), "a reply of another type");

    // The text of an error reply is cut, never overrun, whatever it holds.
    const Error error{ErrorCode::protocol,
                      std::string(bytes.size() == 0 ? "" : "x") +
                          std::string(reinterpret_cast<const char*>(data), size)};
    const abi::ErrorReply refusal = make_error_reply(request, error);
    require(std::memchr(refusal.text, 0, sizeof refusal.text) != nullptr, "a text without its end");

    char array[abi::kNameSize] = {};
    std::copy_n(data, std::min(size, sizeof array),
                array);  // `data` may be null when there is none
    try_text(array);
    if (const auto target = split_target({reinterpret_cast<const char*>(data), size})) {
        require(check_name("partition", target->partition).has_value(), "a bad partition");
        require(check_name("service", target->service).has_value(), "a bad service");
    }
    return 0;
}
