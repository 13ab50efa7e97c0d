// A control connection without manners: well-formed requests where wanted, any bytes and any
// descriptors otherwise.
#pragma once

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <causeway/abi/bus.hpp>
#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/names.hpp"
#include "control/message.hpp"
#include "platform/memfd.hpp"
#include "platform/socket.hpp"

namespace causeway::test {

// The reply to one request: an error, or the message with what came along.
struct RawReply {
    std::vector<std::byte> bytes;
    platform::UniqueFd descriptor;
    abi::Header header{};

    [[nodiscard]] ErrorCode code() const { return static_cast<ErrorCode>(header.error); }
    [[nodiscard]] bool ok() const { return header.error == 0; }
    [[nodiscard]] std::string text() const {
        return ok() ? std::string() : control::parse_error(bytes).text;
    }
    template<typename T>
    [[nodiscard]] T as() const {
        auto parsed = control::parse<T>(bytes);
        if (!ok() || !parsed)
            throw std::runtime_error("not that reply: " + text());
        return *parsed;
    }
};

// Sends bytes and descriptors over any Unix socket, without waiting; false if they were not taken.
inline bool send_raw(int socket, std::span<const std::byte> bytes,
                     std::span<const int> descriptors) {
    std::vector<std::byte> control(CMSG_SPACE(descriptors.size_bytes()));
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size_bytes());
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

class RawClient {
public:
    explicit RawClient(const std::string& path) {
        auto socket = platform::connect_to(path);
        if (!socket)
            throw std::runtime_error(socket.error().text);
        socket_ = std::move(*socket);
    }

    // Sends bytes and descriptors as they are, without waiting; false if they were not taken.
    bool send(std::span<const std::byte> bytes, std::span<const int> descriptors = {}) {
        return send_raw(socket_.get(), bytes, descriptors);
    }
    // The next reply; nothing if the adapter has closed the connection.
    std::optional<RawReply> receive() {
        RawReply reply;
        reply.bytes.resize(abi::kMaxMessage);
        auto received = platform::receive_message(socket_.get(), reply.bytes,
                                                  platform::Blocking::yes, std::nullopt);
        if (!received)
            return std::nullopt;
        reply.bytes.resize(received->size);
        reply.descriptor = std::move(received->descriptor);
        if (reply.bytes.size() >= sizeof reply.header)
            std::memcpy(&reply.header, reply.bytes.data(), sizeof reply.header);
        return reply;
    }
    std::optional<RawReply> exchange(std::span<const std::byte> bytes,
                                     std::span<const int> descriptors = {}) {
        if (!send(bytes, descriptors))
            return std::nullopt;
        return receive();
    }
    template<control::Message T>
    std::optional<RawReply> call(const T& request, int descriptor = -1) {
        const std::span<const int> one(&descriptor, descriptor < 0 ? 0 : 1);
        return exchange(control::bytes_of(request), one);
    }
    // Has the adapter closed the connection?
    [[nodiscard]] bool closed() const {
        pollfd state{socket_.get(), 0, 0};
        return ::poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0;
    }
    // Has the adapter taken everything that was sent?
    [[nodiscard]] bool taken() const {
        int left = 1;
        return ::ioctl(socket_.get(), SIOCOUTQ, &left) == 0 && left == 0;
    }
    [[nodiscard]] int fd() const { return socket_.get(); }
    void close() { socket_.reset(); }

private:
    platform::UniqueFd socket_;
};

// --- requests

[[nodiscard]] inline abi::AttachRequest attach_request(const std::string& name) {
    auto request = control::make<abi::AttachRequest>(abi::Request::attach, 1);
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    request.features = abi::feature::kReturns;
    store_text(request.name, name).value();
    return request;
}

[[nodiscard]] inline abi::AttachRequest observer_request() {
    auto request = attach_request("");
    request.flags = abi::attach_flag::kObserver;
    return request;
}

[[nodiscard]] inline abi::OpenDoorbellRequest doorbell_request(abi::DoorbellKind kind) {
    auto request = control::make<abi::OpenDoorbellRequest>(abi::Request::open_doorbell, 2);
    request.kind = static_cast<std::uint32_t>(kind);
    return request;
}

[[nodiscard]] inline abi::RegisterRequest register_request(std::uint64_t size) {
    auto request = control::make<abi::RegisterRequest>(abi::Request::register_region, 3);
    request.size = size;
    request.address = 0x10000;
    request.rights = abi::right::kRemoteWrite;
    request.parts = static_cast<std::uint32_t>((size + abi::kRegionPart - 1) / abi::kRegionPart);
    return request;
}

[[nodiscard]] inline abi::RegionRequest region_request(abi::Request type,
                                                       const abi::RegisterReply& region) {
    auto request = control::make<abi::RegionRequest>(type, 4);
    request.handle = region.handle;
    request.generation = region.generation;
    return request;
}

[[nodiscard]] inline abi::CreateQueuePairRequest create_request(std::uint32_t completions) {
    auto request = control::make<abi::CreateQueuePairRequest>(abi::Request::create_queue_pair, 5);
    request.shape = {16, 16, 16, 16};
    request.completions = completions;
    return request;
}

[[nodiscard]] inline abi::ListenRequest listen_request(const std::string& service,
                                                       std::uint32_t backlog = 4) {
    auto request = control::make<abi::ListenRequest>(abi::Request::listen, 6);
    store_text(request.service, service).value();
    request.backlog = backlog;
    return request;
}

[[nodiscard]] inline abi::ConnectRequest connect_request(std::uint32_t queue_pair,
                                                         const std::string& target) {
    auto request = control::make<abi::ConnectRequest>(abi::Request::connect, 7);
    request.queue_pair = queue_pair;
    store_text(request.target, target).value();
    return request;
}

[[nodiscard]] inline abi::AcceptRequest accept_request(std::uint32_t listener,
                                                       std::uint32_t queue_pair) {
    auto request = control::make<abi::AcceptRequest>(abi::Request::accept, 8);
    request.listener = listener;
    request.queue_pair = queue_pair;
    return request;
}

[[nodiscard]] inline abi::DisconnectRequest disconnect_request(std::uint32_t queue_pair) {
    auto request = control::make<abi::DisconnectRequest>(abi::Request::disconnect, 9);
    request.queue_pair = queue_pair;
    return request;
}

[[nodiscard]] inline abi::StatsRequest stats_request(abi::StatsKind kind,
                                                     std::uint32_t cursor = 0) {
    auto request = control::make<abi::StatsRequest>(abi::Request::stats, 10);
    request.kind = static_cast<std::uint32_t>(kind);
    request.cursor = cursor;
    return request;
}

[[nodiscard]] inline abi::ListenRequest controller_request(const std::string& service,
                                                           abi::ControllerType type) {
    auto request = listen_request(service);
    request.controller = static_cast<std::uint32_t>(type);
    return request;
}

[[nodiscard]] inline abi::BusRequest bus_request(std::uint64_t known = 0, std::uint32_t flags = 0) {
    auto request = control::make<abi::BusRequest>(abi::Request::bus, 12);
    request.known = known;
    request.flags = flags;
    return request;
}

[[nodiscard]] inline abi::BusRequest bus_users_request(std::uint64_t controller) {
    auto request = bus_request();
    request.kind = static_cast<std::uint32_t>(abi::BusKind::users);
    request.controller = controller;
    return request;
}

// --- what an attached session usually begins with

struct RawSession {
    RawSession(const std::string& socket, const std::string& name)
        : RawSession(socket, attach_request(name)) {}
    RawSession(const std::string& socket, const abi::AttachRequest& request) : client(socket) {
        attached = client.call(request).value().as<abi::AttachReply>();
    }
    [[nodiscard]] static RawSession observer(const std::string& socket) {
        return {socket, observer_request()};
    }
    // A completion queue; its id.
    std::uint32_t open_completions() {
        return client.call(doorbell_request(abi::DoorbellKind::completions))
            .value()
            .as<abi::OpenDoorbellReply>()
            .doorbell;
    }
    std::uint32_t create_queue_pair(std::uint32_t completions) {
        return client.call(create_request(completions))
            .value()
            .as<abi::CreateQueuePairReply>()
            .queue_pair;
    }
    std::uint32_t listen(const std::string& service, std::uint32_t backlog = 4) {
        return client.call(listen_request(service, backlog))
            .value()
            .as<abi::ListenReply>()
            .listener;
    }

    RawClient client;
    abi::AttachReply attached;
};

// --- memory files

// A memory file, filled and sealed as a region's part must be.
[[nodiscard]] inline platform::UniqueFd region_file(std::uint64_t size,
                                                    unsigned seals = platform::kSizeSeals) {
    auto fd = platform::create_memfd("test-region", size, 0).value();
    if (::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)) != 0)
        throw std::runtime_error("posix_fallocate");
    platform::add_seals(fd.get(), seals).value();
    return fd;
}

}  // namespace causeway::test
