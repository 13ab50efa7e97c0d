#include "control/server.hpp"

#include "platform/socket.hpp"

namespace causeway::control {

namespace {

// What is wrong with a message, whatever its type.
std::optional<Error> fault_in(const platform::Received& received, std::span<const std::byte> bytes,
                              abi::Header& header) {
    // As much of the header as came, so that the reply finds its request.
    if (bytes.size() >= sizeof header)
        std::memcpy(&header, bytes.data(), sizeof header);
    if (received.truncated) {
        return Error{ErrorCode::protocol,
                     format_text("the message has more than %zu bytes", abi::kMaxMessage)};
    }
    if (received.too_many) {
        return Error{ErrorCode::protocol, "the message brings more than one descriptor"};
    }
    if (received.descriptor_lost) {
        return Error{ErrorCode::limit_reached,
                     "the adapter has no room for another descriptor: try again later, or raise "
                     "its limit (ulimit -n)"};
    }
    const auto checked = parse_header(bytes);
    if (!checked.has_value())
        return checked.error();
    if ((checked->type & abi::kReplyBit) != 0) {
        return Error{ErrorCode::protocol, "the message is a reply, not a request"};
    }
    if (checked->error != 0) {
        return Error{ErrorCode::protocol, format_text("%s: a request with error number %d",
                                                      request_name(checked->type), checked->error)};
    }
    return std::nullopt;
}

}  // namespace

Result<IncomingRequest> receive_request(int fd, std::span<std::byte> buffer) {
    CW_TRY_ASSIGN(platform::Received received, platform::receive_message(fd, buffer));
    IncomingRequest request;
    request.bytes = buffer.first(received.size);
    request.fault = fault_in(received, request.bytes, request.header);
    request.descriptor = std::move(received.descriptor);
    return request;
}

Result<void> send_reply(int fd, std::span<const std::byte> reply, int descriptor) {
    return platform::send_message(fd, reply, descriptor, platform::Blocking::no);
}

Result<void> reply_empty(int fd, const abi::Header& request, int descriptor) {
    const abi::Header header = reply_header(request, sizeof(abi::Header));
    return send_reply(fd, bytes_of(header), descriptor);
}

Result<void> reply_error(int fd, const abi::Header& request, const Error& error) {
    return send_reply(fd, bytes_of(make_error_reply(request, error)));
}

}  // namespace causeway::control
